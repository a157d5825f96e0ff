"""Compare each twin with the truth on one case, tensor by tensor."""

import os

import torch_impl

from .implementations import REFUSED, attends
from .run import given_of, run_numpy
from .run_torch import run_torch
from .verdict import judge


def compare(case, dtype, device="cpu", implementation="eager"):
    """Return [budget.Row], one per twin and tensor; raise AssertionError if the names differ.

    In half precision only the PyTorch twin is compared; the NumPy twin does not have it. With
    TWINS=torch it is left out: it runs on the CPU, whatever the device, and compiles for a minute.
    """
    given = given_of(case, dtype)
    with torch_impl.use_ops(implementation):
        sides = {"torch": run_torch(given, device=device)}
    if dtype in ("float64", "float32") and os.environ.get("TWINS") != "torch":
        sides["numpy"] = run_numpy(given)
    return [row for side, results in sides.items() for row in judge(case, dtype, results, side)]


def implementations(case):
    """Return the implementations that take the case on a CPU, forward and backward."""
    taken = attends(case) and case.id not in REFUSED["sdpa"]
    return ("eager", "sdpa") if taken else ("eager",)
