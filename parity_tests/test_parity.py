"""Every case in both twins: the outputs and gradients of each are compared with the truth."""

import math
from dataclasses import replace

import pytest
import torch

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
    """Attention by PyTorch's scaled_dot_product_attention, with the bias as its mask."""
    check(case, dtype, results, f"{case.id}-sdpa", "sdpa")


def check(case, dtype, results, name, implementation):
    """Compare a case, record the result, then assert; a case that raises is in the report too."""
    results[name, dtype] = [budget.Row("not compared", math.inf, math.inf)]
    rows = results[name, dtype] = compare(case, dtype, report.device(), implementation)
    over = [row for row in rows if not row.ok]
    assert not over, f"over budget: {over}"


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_the_models_norms_add_up_in_float32(dtype, seed):
    """PyTorch's own layer norm adds up a whole column in half precision if it has one thread."""
    case = next(case for case in CASES if case.id == "vit-2d-mean_six_heads")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rows = compare(replace(case, seed=seed), dtype)
    finally:
        torch.set_num_threads(threads)
    over = [row for row in rows if not row.ok]
    assert not over, f"over budget: {over}"


def test_case_names_are_unique():
    assert len({case.id for case in CASES}) == len(CASES)
