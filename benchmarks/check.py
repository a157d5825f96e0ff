"""The check before the timing: each contestant's tensors must lie within the parity tests' budget."""

from dataclasses import dataclass

import numpy as np

from parity_tests import budget


@dataclass(frozen=True)
class Check:
    """The tensor that uses most of its budget, and its largest error against the float64 truth."""

    tensor: str
    share: float
    error: float

    @property
    def ok(self):
        return bool(self.share <= 1)


def check(costs, mine):
    """Compare every tensor with the float64 truth and return the Check of the worst.

    costs: {name: Yardstick}, the truth and the error that rounding to float32 causes.
    mine: {name: array or tensor}; a missing or unexpected tensor has an infinite error.
    """
    if costs.keys() != mine.keys():
        (*_, odd) = sorted(costs.keys() ^ mine.keys())
        return Check(odd, np.inf, np.inf)
    rows = [budget.within_rounding(name, cost, as_array(mine[name])) for name, cost in costs.items()]
    worst = max(rows, key=lambda row: (not row.ok, row.budget_share))
    return Check(worst.tensor, worst.budget_share, worst.max_error)


def as_array(x):
    """Return a NumPy array or a tensor as a NumPy array, without importing PyTorch."""
    return np.asarray(x.detach().cpu() if hasattr(x, "detach") else x)
