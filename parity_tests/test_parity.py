"""Every case through both twins: outputs and gradients by name, within the budget."""

import pytest

from . import report
from .cases import CASES
from .compare import compare


def _has_attention(case):
    return case.kind == "attention" or (case.kind, case.name) == ("op", "attention")


@pytest.mark.parametrize("dtype", report.dtypes())
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_twins_agree(case, dtype, results):
    rows = compare(case, dtype, report.device())
    results[case.id, dtype] = rows
    over = [row for row in rows if not row.ok]
    assert not over, f"over budget: {over}"


@pytest.mark.parametrize("dtype", report.dtypes())
@pytest.mark.parametrize("case", [c for c in CASES if _has_attention(c)], ids=lambda case: case.id)
def test_the_fused_kernel_agrees(case, dtype, results):
    """The same attention by torch's scaled_dot_product_attention, the bias handed over as its mask."""
    rows = compare(case, dtype, report.device(), "sdpa")
    results[f"{case.id}-sdpa", dtype] = rows
    over = [row for row in rows if not row.ok]
    assert not over, f"over budget: {over}"


def test_a_looser_row_says_why():
    assert all(case.reason for case in CASES if case.slack)
    assert all("float64" not in case.slack for case in CASES)


def test_case_names_are_unique():
    assert len({case.id for case in CASES}) == len(CASES)
