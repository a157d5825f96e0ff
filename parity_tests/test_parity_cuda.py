"""On a GPU: the implementations of attention that need one, over the same cases within the same budget.

What is compiled for each shape takes seconds a case, so FlexAttention has the cases of the op alone.
"""

import math
from dataclasses import replace

import pytest

from torch_impl.ops.attention import registry

from . import budget, report
from .cases import CASES
from .compare import compare

DTYPES = [dtype for dtype in ("bfloat16", "float32", "float16") if dtype in report.dtypes()]
OP = [case for case in CASES if (case.kind, case.name) == ("op", "attention")]
MODULES = [case for case in CASES if case.kind in ("attention", "swin_block")]
WANTED = {"triton": OP + MODULES, "flex": OP}
CALLS = [
    (case, dtype, name)
    for name, cases in WANTED.items()
    for dtype in DTYPES
    for case in cases
    if report.device() == "cuda" and name in registry.REGISTRY
]


@pytest.mark.parametrize(
    ("case", "dtype", "name"), CALLS, ids=[f"{case.id}-{name}-{dtype}" for case, dtype, name in CALLS]
)
def test_a_gpus_kernels_agree(case, dtype, name, results, monkeypatch):
    check(case, dtype, name, report.device(), results, monkeypatch)


def check(case, dtype, name, device, results, monkeypatch):
    """Compare the case and record the result, or skip the test where the implementation refuses."""
    key, attended = (f"{case.id}-{name}", dtype), []
    module = registry.REGISTRY[name]
    attend, refusal = module.attend, module.refusal
    reasons = set()

    def noted(inputs):
        reasons.add(refusal(inputs))
        return refusal(inputs)

    monkeypatch.setattr(module, "attend", lambda inputs: attended.append(1) or attend(inputs))
    monkeypatch.setattr(module, "refusal", noted)
    results[key] = [budget.Row("not compared", math.inf, math.inf)]
    rows = compare(case, dtype, device, name)
    if not attended:  # eager took its place
        del results[key]
        pytest.skip(f"{name} refuses: {', '.join(str(reason) for reason in reasons - {None})}")
    results[key] = [replace(row, side=name) for row in rows if row.side == "torch"]
    over = [row for row in results[key] if not row.ok]
    assert not over, f"over budget: {over}"


TAKEN, REFUSED = (next(c for c in OP if c.variant == variant) for variant in ("swin_3x5", "dropout"))


def test_what_an_implementation_takes_is_recorded_and_what_it_refuses_is_not(monkeypatch):
    """The same on the CPU with sdpa, which refuses dropout."""
    results = {}
    check(TAKEN, "float32", "sdpa", "cpu", results, monkeypatch)
    with pytest.raises(pytest.skip.Exception, match="sdpa refuses: dropout multiplies"):
        check(REFUSED, "float32", "sdpa", "cpu", results, monkeypatch)
    assert results.keys() == {(f"{TAKEN.id}-sdpa", "float32")}
    assert {row.side for row in results[f"{TAKEN.id}-sdpa", "float32"]} == {"sdpa"}


def test_an_implementation_over_budget_is_red(monkeypatch):
    module = registry.REGISTRY["sdpa"]
    attend = module.attend
    monkeypatch.setattr(module, "attend", lambda inputs: attend(inputs) * 1.001)
    results = {}
    with pytest.raises(AssertionError, match="over budget"):
        check(TAKEN, "float32", "sdpa", "cpu", results, monkeypatch)
    assert not all(row.ok for rows in results.values() for row in rows)
