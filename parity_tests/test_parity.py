"""Every case through both twins: outputs and gradients by name, within the budget."""

import math

import pytest

from . import budget, report
from .cases import CASES
from .compare import compare


def _has_attention(case):
    return case.kind == "attention" or (case.kind, case.name) == ("op", "attention")


@pytest.mark.parametrize("dtype", report.dtypes())
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_twins_agree(case, dtype, results):
    check(case, dtype, results, case.id, "eager")


@pytest.mark.parametrize("dtype", report.dtypes())
@pytest.mark.parametrize("case", [c for c in CASES if _has_attention(c)], ids=lambda case: case.id)
def test_the_fused_kernel_agrees(case, dtype, results):
    """The same attention by torch's scaled_dot_product_attention, the bias handed over as its mask."""
    check(case, dtype, results, f"{case.id}-sdpa", "sdpa")


def check(case, dtype, results, name, implementation):
    """Record what was measured, then fail: a case that breaks must not vanish from the report."""
    results[name, dtype] = [budget.Row("not compared", math.inf, math.inf)]
    rows = results[name, dtype] = compare(case, dtype, report.device(), implementation)
    over = [row for row in rows if not row.ok]
    assert not over, f"over budget: {over}"


def test_a_looser_row_says_why():
    assert all(case.reason for case in CASES if case.slack)
    assert all("float64" not in case.slack for case in CASES)


def test_case_names_are_unique():
    assert len({case.id for case in CASES}) == len(CASES)
