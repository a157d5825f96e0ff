"""Σ x² in one pass, without an array of squares."""

import math

import numpy as np

from ..gate import floating
from ..ops import norm as definition
from . import _rows as loops
from . import _threads
from ._arrays import address_of, contiguous


def squared_norm(x):
    """Σ x²; see `numpy_ref.ops.squared_norm`. 256 squares at a time are added in x's own precision.

    Where float32 overflows, the definition has the last word.
    """
    (x,) = contiguous(*floating(x=x))
    sums = np.zeros(-(-x.size // loops.PIECE))
    _threads.run(loops.squares, len(sums), np.empty(0, x.dtype), address_of(x), x.size, sums)
    total = float(sums.sum())
    return total if math.isfinite(total) else definition.squared_norm(x)
