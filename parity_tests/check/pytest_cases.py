"""What the pytest plugin runs: a case of a kernel, which fails with a diagnosis."""

from dataclasses import dataclass
from functools import cache

import pytest

from .kernel import Kernel
from .kinds import KINDS
from .report import text_of_case
from .scope import cases_for
from .verdict import judge_kernel


@dataclass(frozen=True)
class KernelCase:
    """A case that a kernel is asked in one dtype; `check()` judges it."""

    kernel: Kernel
    kind: str
    dtype: str
    name: str
    without: str

    def __str__(self):
        return f"{self.name}-{self.dtype}"

    def check(self):
        """Fail with the report on the case, and with the bugs that explain the small cases."""
        __tracebackhide__ = True
        arguments = (self.kernel, self.kind, self.dtype)
        options = {"pattern": self.name, "without": self.without, "diagnosing": False}
        verdict = judge_kernel(*arguments, **options)
        if not verdict.ok:
            pytest.fail(text_of_case(verdict, _whole(*arguments, self.without)), pytrace=False)


def cases_of(
    kernel,
    kind="attention",
    dtypes=("float32",),
    quick=False,
    library=None,
    device=None,
    pattern="*",
    without="",
):
    """Return a `KernelCase` for each case that fits the kernel and each dtype."""
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}, expected one of {', '.join(KINDS)}")
    kernel = Kernel(kernel, library, device)
    cases = cases_for(kernel, KINDS[kind], quick, pattern)
    return [KernelCase(kernel, kind, dtype, case.id, without) for dtype in dtypes for case in cases]


@cache
def _whole(kernel, kind, dtype, without):
    """Return the verdict on the small cases, once per process: for the diagnosis."""
    return judge_kernel(kernel, kind, dtype, quick=True, without=without)
