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


def check(truth, peer, mine):
    """Every tensor of `mine` against the float64 truth, with the float32 side `peer` as the measure.

    All {name: array or tensor}. A tensor that is missing, or too many, is over budget without limit.
    """
    if truth.keys() != mine.keys():
        (*_, odd) = sorted(truth.keys() ^ mine.keys())
        return Check(odd, np.inf, np.inf)
    mine = {name: as_array(a) for name, a in mine.items()}
    sides = {name: (mine[name], as_array(peer[name])) for name in truth}
    rows = [budget.two_sided(name, truth[name], sides[name], "float32") for name in truth]
    worst = max(rows, key=lambda row: (not row.ok, row.budget_share))
    error = budget.float64(worst.tensor, truth[worst.tensor], mine[worst.tensor]).max_error
    return Check(worst.tensor, worst.budget_share, error)


def as_array(x):
    """A NumPy array of either twin's result; without importing PyTorch where it is not there."""
    return np.asarray(x.detach().cpu() if hasattr(x, "detach") else x)
