"""Every case in both twins: the outputs and gradients of each are compared with the truth."""

import math
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch

import torch_impl

from . import budget, report
from .cases import CASES
from .compare import compare
from .implementations import (
    ATTENTION,
    OTHERS,
    REFUSED,
    compared,
    expected_refusal,
    reasons_of,
    unfused_flex,
)
from .run import given_of
from .run_torch import run_torch


@pytest.mark.parametrize("dtype", report.dtypes())
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_twins_agree(case, dtype, results):
    check(case, dtype, results, case.id, "eager")


@pytest.mark.parametrize(("implementation", "dtype"), compared(report.device(), report.dtypes()))
@pytest.mark.parametrize("case", ATTENTION, ids=lambda case: case.id)
def test_each_implementation_agrees_or_says_why_not(case, implementation, dtype, results):
    """On a CPU FlexAttention, which has no backward there, is compared by its definition in float64."""
    device, name, how = report.device(), f"{case.id}-{implementation}", nullcontext()
    if (implementation, device) == ("flex", "cpu"):
        name, how = f"{name}-unfused", unfused_flex()
    reason = expected_refusal(implementation, case, dtype, device)
    with how, reasons_of(implementation) as reasons:
        if reason is None:
            check(case, dtype, results, name, implementation)
        else:
            with torch_impl.use_ops(implementation):
                run_torch(given_of(case, dtype), device=device)
    assert reasons == [reason]


@pytest.mark.parametrize("implementation", OTHERS)
def test_no_implementation_refuses_everything(implementation):
    cases = {case.id for case in ATTENTION}
    assert REFUSED[implementation].keys() < cases
    (swin,) = (case for case in ATTENTION if case.id == "op-attention-swin_7x7")
    assert expected_refusal(implementation, swin, "float32", report.device()) is None


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
