"""Σ x² in one pass, without an array of squares."""

import math

import numpy as np

from ..gate import floating
from ..ops import norm as definition
from .machine import threads
from .machine.arrays import address_of, contiguous
from .machine.jit import compiled
from .machine.simd import fma, lanes, load_first, splat, total
from .machine.threads import PIECE, share, taken

ROW = 1 << 8  # elements that are summed in the array's own precision


def squared_norm(x):
    """Σ x²; see `numpy_ref.ops.squared_norm`. 256 squares at a time are added in x's own precision.

    Where float32 overflows, the definition has the last word.
    """
    (x,) = contiguous(*floating(x=x))
    sums = np.zeros(-(-x.size // PIECE))
    threads.run(_squares, len(sums), np.empty(0, x.dtype), address_of(x), x.size, sums)
    total = float(sums.sum())
    return total if math.isfinite(total) else definition.squared_norm(x)


@compiled
def _squares(worker, words, helpers, *arguments):
    """sums[piece] = Σ x² over the piece, ROW elements at a time in the array's own precision."""
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, like, x, elements, sums = arguments
    size = like.itemsize
    for piece in taken(progress, pieces):
        piece_end = min(piece * PIECE + PIECE, elements)
        for first in range(piece * PIECE, piece_end, ROW):
            end = min(first + ROW, piece_end)
            added = splat(like, 0.0)
            for j in range(first, end, lanes(like)):
                value = load_first(like, x + j * size, end - j)
                added = fma(value, value, added)
            sums[piece] += total(added)
