"""Hold each twin by itself to the truth on one case: pair tensors by name, apply the budget."""

import torch_impl

from .run import given_of, run_numpy
from .run_torch import run_torch
from .verdict import judge


def compare(case, dtype, device="cpu", implementation="eager"):
    """[budget.Row], one for each twin and tensor; raises AssertionError when the names differ.

    The NumPy twin is left out in half precision, which it has not.
    """
    given = given_of(case, dtype)
    with torch_impl.use_ops(implementation):
        sides = {"torch": run_torch(given, device=device)}
    if dtype in ("float64", "float32"):
        sides["numpy"] = run_numpy(given)
    return [row for side, results in sides.items() for row in judge(case, dtype, results, side)]


def implementations(case):
    """Those of the PyTorch twin that compute the case in different ways."""
    attends = case.kind == "attention" or (case.kind, case.name) == ("op", "attention")
    return ("eager", "sdpa") if attends else ("eager",)
