"""The tolerance of all comparisons: how far a result may be from the truth.

- integers, and floats that are only copied (a gather): equal, bit for bit;
- float64: |a − b| ≤ 1e-10 · max(1, max|ref|);
- lower precision: the truth is plain NumPy in float64 on the rounded inputs. Each of three measures of
  the error (see `errors`) is at most ROUNDING times its value when plain NumPy itself rounds (see
  `yardstick`: the worst of 16 runs, every result rounded up or down at random).

Each side is judged by itself, whatever the error of the other, and no single row has a larger tolerance.
All results must be finite, except that where the truth is −inf (a causal mask) the result must be −inf.
"""

from dataclasses import dataclass, replace

import numpy as np

from .errors import error, measures

FLOAT64 = 1e-10
ROUNDING = 3.0

# Central differences of step h: the truncation h²·f'''/6 and the rounding eps·f/h both stay near 1e-10.
DIFFERENCE_STEP, DIFFERENCE = 1e-5, 1e-7

# Twenty steps in float64 let the rounding grow a little from step to step.
TRAINING_LOSS, TRAINING_WEIGHTS = 1e-9, 1e-8


@dataclass(frozen=True)
class Row:
    """The largest error of one tensor of one side, and that error's share of the budget (≤ 1 is ok)."""

    tensor: str
    max_error: float
    budget_share: float
    side: str = ""

    @property
    def ok(self):
        return bool(self.budget_share <= 1)  # False for NaN


def row(tensor, truth, other, yardstick=None, moved=False, side=""):
    """Return the Row of a tensor by the rule for its kind.

    yardstick: a Yardstick, for a precision below float64. moved: whether it is copied, not computed.
    """
    if moved or np.asarray(truth).dtype.kind in "iu":
        found = exact(tensor, truth, other)
    elif yardstick is None:
        found = float64(tensor, truth, other)
    else:
        found = within_rounding(tensor, yardstick, other)
    return replace(found, side=side)


def is_gradient(tensor):
    """Return whether a tensor is a gradient, named d<input> or grad.<parameter>, not an output."""
    return tensor.startswith(("grad.", "d"))


def exact(tensor, ref, *others):
    """Return the Row for the rule: equal shapes and values."""
    same = all(np.shape(o) == np.shape(ref) and np.array_equal(o, ref, equal_nan=False) for o in others)
    return Row(tensor, 0.0 if same else np.inf, 0.0 if same else np.inf)


def float64(tensor, ref, other, tolerance=FLOAT64):
    """Return the Row for the rule |ref − other| ≤ tolerance · max(1, max|ref|)."""
    if np.shape(ref) != np.shape(other):
        return Row(tensor, np.inf, np.inf)
    largest = float(np.max(np.abs(error(ref, other)), initial=0.0))
    return Row(tensor, largest, largest / (tolerance * _magnitude(ref)))


def within_rounding(tensor, yardstick, other):
    """Return the Row for the rule: each measure of the error ≤ ROUNDING times the yardstick's."""
    if np.shape(yardstick.truth) != np.shape(other):
        return Row(tensor, np.inf, np.inf)
    off = error(yardstick.truth, other)
    found = measures(yardstick.truth, off, yardstick.spread)
    share = np.max(np.divide(found, yardstick.cost)) / ROUNDING  # np.max keeps NaN
    return Row(tensor, float(np.max(np.abs(off), initial=0.0)), float(share))


def rounded(truth, dtype):
    """Return the truth rounded once to this dtype, the best possible result, as float64."""
    if dtype == "bfloat16":  # eight bits of mantissa, to nearest even
        bits = np.asarray(truth, np.float32).view(np.uint32)
        bits = bits + 0x7FFF + ((bits >> 16) & 1)
        return (bits & 0xFFFF0000).astype(np.uint32).view(np.float32).astype(np.float64)
    return np.asarray(truth, dtype).astype(np.float64)


def _magnitude(truth):
    finite = np.abs(np.asarray(truth, np.float64))
    finite = finite[np.isfinite(finite)]
    return max(1.0, finite.max()) if finite.size else 1.0
