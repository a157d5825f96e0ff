"""Right before fast: what a contestant computes is held to the project's budget before it is timed."""

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
    """Every tensor of `mine` against the float64 truth, by what rounding to float32 costs it.

    costs: {name: Yardstick}, mine: {name: array or tensor}. A tensor that is missing, or too many, is
    over budget without limit.
    """
    if costs.keys() != mine.keys():
        (*_, odd) = sorted(costs.keys() ^ mine.keys())
        return Check(odd, np.inf, np.inf)
    rows = [budget.within_rounding(name, cost, as_array(mine[name])) for name, cost in costs.items()]
    worst = max(rows, key=lambda row: (not row.ok, row.budget_share))
    return Check(worst.tensor, worst.budget_share, worst.max_error)


def as_array(x):
    """A NumPy array of either twin's result; without importing PyTorch where it is not there."""
    return np.asarray(x.detach().cpu() if hasattr(x, "detach") else x)
