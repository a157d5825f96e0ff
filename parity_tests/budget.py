"""THE tolerance: how far two computations of the same thing may differ, in one place.

- integers, and floats that are only moved (a gather): equal, bit for bit;
- float64: |a − b| ≤ 1e-10 · max(1, max|ref|);
- lower precision: the truth is float64 on the rounded inputs, and each side's error is at most
  k · (the other side's error + eps · max(1, max|truth|)), k = 2 for outputs and 3 for gradients.

Everything finite, except where the truth itself is −inf (a causal mask): there both must be −inf.
"""

from dataclasses import dataclass

import numpy as np

FLOAT64 = 1e-10
OUTPUT_FACTOR, GRADIENT_FACTOR = 2.0, 3.0
EPS = {"float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}

# Central differences of step h: the truncation h²·f'''/6 and the rounding eps·f/h both stay near 1e-10.
DIFFERENCE_STEP, DIFFERENCE = 1e-5, 1e-7

# Twenty steps in float64 let the rounding grow a little from step to step.
TRAINING_LOSS, TRAINING_WEIGHTS = 1e-9, 1e-8


@dataclass(frozen=True)
class Row:
    """One tensor of one case: its largest error and the share of the budget that it used."""

    tensor: str
    max_error: float
    budget_share: float

    @property
    def ok(self):
        return bool(self.budget_share <= 1)  # False for NaN


def is_gradient(tensor):
    """Gradients are named d<input> or grad.<parameter>; all else is an output."""
    return tensor.startswith(("grad.", "d"))


def exact(tensor, ref, *others):
    """Equal shapes and bits."""
    same = all(np.shape(o) == np.shape(ref) and np.array_equal(o, ref, equal_nan=False) for o in others)
    return Row(tensor, 0.0 if same else np.inf, 0.0 if same else np.inf)


def float64(tensor, ref, other, tolerance=FLOAT64):
    """|ref − other| ≤ tolerance · max(1, max|ref|)."""
    error = _max_error(ref, other)
    return Row(tensor, error, error / (tolerance * _magnitude(ref)))


def two_sided(tensor, truth, sides, dtype, slack=1.0):
    """Each of the two sides against the truth, with the other's error as the measure."""
    a, b = (_max_error(truth, side) for side in sides)
    factor = slack * (GRADIENT_FACTOR if is_gradient(tensor) else OUTPUT_FACTOR)
    ulp = EPS[dtype] * _magnitude(truth)
    share = np.max([a / (factor * (b + ulp)), b / (factor * (a + ulp))])  # np.max keeps NaN
    return Row(tensor, float(np.max([a, b])), float(share))


def rounded(truth, dtype):
    """The best that a side of this precision could do: the truth, rounded once."""
    if dtype == "bfloat16":  # eight bits of mantissa, to nearest even
        bits = np.asarray(truth, np.float32).view(np.uint32)
        bits = bits + 0x7FFF + ((bits >> 16) & 1)
        return (bits & 0xFFFF0000).astype(np.uint32).view(np.float32).astype(np.float64)
    return np.asarray(truth, dtype).astype(np.float64)


def _max_error(truth, other):
    """max|truth − other|; inf for another shape or another pattern of −inf, NaN for NaN."""
    truth, other = np.asarray(truth, np.float64), np.asarray(other, np.float64)
    masked = np.isneginf(truth)
    if truth.shape != other.shape or not np.array_equal(masked, np.isneginf(other)):
        return np.inf
    error = np.abs(truth[~masked] - other[~masked])
    return float(error.max()) if error.size else 0.0


def _magnitude(truth):
    finite = np.abs(np.asarray(truth, np.float64))
    finite = finite[np.isfinite(finite)]
    return max(1.0, finite.max()) if finite.size else 1.0
