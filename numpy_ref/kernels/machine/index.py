"""Rows under an index: what every gather and scatter-add comes down to.

An index is flat and uint64 here: for signed ones numba would look at each entry whether it counts from
the end. Rows are slices of one axis, of which LLVM knows that they don't overlap.
"""

import numpy as np

from ...gate import integers
from . import threads
from .arrays import contiguous
from .jit import compiled, inner
from .threads import share, taken

PIECE = 1 << 17  # entries that one thread looks through


def checked_index(index, num_rows):
    """The index (Lq, Lk), flat, all entries in [0, num_rows); raises TypeError/ValueError."""
    flat = flat_index(index)
    check_flat_index(flat, num_rows)
    return flat


def flat_index(index):
    """Flat, its entries unchecked; raises TypeError/ValueError unless it has integers on two axes."""
    (index,) = contiguous(integers("index", index, None, None))
    return index.reshape(-1).view(np.uint64)


def check_flat_index(flat, num_rows):
    """All entries in [0, num_rows); raises ValueError. One pass over them."""
    highest = np.zeros(max(1, -(-flat.size // PIECE)), np.uint64)
    threads.run(_highest, len(highest), flat, highest)
    if flat.size and highest.max() >= num_rows:
        refuse(flat, num_rows)


def refuse(flat, num_rows):
    """Raises ValueError that says which entries there are."""
    signed = flat.view(np.int64)
    raise ValueError(f"index has entries in [{signed.min()}, {signed.max()}], expected [0, {num_rows})")


@inner
def all_within(index, num_rows):
    """Whether all entries are below num_rows."""
    return not index.size or _highest_of(index) < np.uint64(num_rows)


@inner
def _highest_of(index):
    """What was negative is above all others."""
    highest = np.uint64(0)
    for entry in index:
        highest = max(highest, entry)
    return highest


@compiled
def _highest(worker, words, helpers, *arguments):
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, index, highest = arguments
    for piece in taken(progress, pieces):
        highest[piece] = _highest_of(index[piece * PIECE : piece * PIECE + PIECE])
