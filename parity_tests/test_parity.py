"""Every case through both twins, each held to the truth: outputs and gradients by name."""

import math

import pytest

from . import budget, report
from .cases import CASES
from .compare import compare, implementations


@pytest.mark.parametrize("dtype", report.dtypes())
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_twins_agree(case, dtype, results):
    check(case, dtype, results, case.id, "eager")


FUSED = [case for case in CASES if "sdpa" in implementations(case)]


@pytest.mark.parametrize("dtype", report.dtypes())
@pytest.mark.parametrize("case", FUSED, ids=lambda case: case.id)
def test_the_fused_kernel_agrees(case, dtype, results):
    """The same attention by torch's scaled_dot_product_attention, the bias handed over as its mask."""
    check(case, dtype, results, f"{case.id}-sdpa", "sdpa")


def check(case, dtype, results, name, implementation):
    """Record what was measured, then fail: a case that breaks must not vanish from the report."""
    results[name, dtype] = [budget.Row("not compared", math.inf, math.inf)]
    rows = results[name, dtype] = compare(case, dtype, report.device(), implementation)
    over = [row for row in rows if not row.ok]
    assert not over, f"over budget: {over}"


def test_case_names_are_unique():
    assert len({case.id for case in CASES}) == len(CASES)
