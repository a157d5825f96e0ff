"""What the pytest plugin runs: one case of a kernel. A failure shows the diagnosis."""

from dataclasses import dataclass
from functools import cache
from glob import escape

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
    scheme: str | None
    without: str

    def __str__(self):
        return f"{self.name}-{self.dtype}"

    def check(self):
        """Fail with the report on the case, and with the bugs that explain the small cases."""
        __tracebackhide__ = True
        asked = {"scheme": self.scheme, "without": self.without}
        verdict = judge_kernel(
            self.kernel, self.kind, self.dtype, pattern=escape(self.name), diagnosing=False, **asked
        )
        if not verdict.ok:
            whole = _whole(self.kernel, self.kind, self.dtype, self.scheme, self.without)
            pytest.fail(text_of_case(verdict, whole), pytrace=False)


def cases_of(
    kernel,
    kind="attention",
    dtypes=("float32",),
    quick=False,
    scheme=None,
    library=None,
    device=None,
    pattern="*",
    without="",
):
    """Return a `KernelCase` for each case that fits the kernel and each dtype."""
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}, expected one of {', '.join(KINDS)}")
    kernel = Kernel(kernel, library, device)
    judged = KINDS[kind].of_scheme(scheme)
    return [
        KernelCase(kernel, kind, dtype, case.id, scheme, without)
        for dtype in dtypes
        for case in cases_for(kernel, judged, dtype, quick, pattern)
    ]


@cache
def _whole(kernel, kind, dtype, scheme, without):
    """Return the verdict on the small cases, once per process: for the diagnosis."""
    return judge_kernel(kernel, kind, dtype, quick=True, scheme=scheme, without=without)
