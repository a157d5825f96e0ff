"""Rows under an index: what every gather and scatter-add comes down to.

An index is flat and uint64 here: numba would test each signed entry for counting from the end. Rows are
slices of one axis, of which LLVM knows that they do not overlap.
"""

import numpy as np

from ...gate import integers
from . import threads
from .arrays import contiguous
from .jit import compiled, inner
from .threads import share, taken

PIECE = 1 << 17  # entries that one thread looks through


def checked_index(index, num_rows):
    """Return the index (Lq, Lk) flat; raise TypeError/ValueError unless all are in [0, num_rows)."""
    flat = flat_index(index)
    check_flat_index(flat, num_rows)
    return flat


def flat_index(index):
    """Return it flat, its entries unchecked; raise TypeError/ValueError unless (Lq, Lk) integers."""
    (index,) = contiguous(integers("index", index, None, None))
    return index.reshape(-1).view(np.uint64)


def check_flat_index(flat, num_rows):
    """Raise ValueError unless all entries are in [0, num_rows); one pass over them."""
    highest = np.zeros(max(1, -(-flat.size // PIECE)), np.uint64)
    threads.run(_highest, len(highest), flat, highest)
    if flat.size and highest.max() >= num_rows:
        refuse(flat, num_rows)


def refuse(flat, num_rows):
    """Raise ValueError with the range of the entries."""
    signed = flat.view(np.int64)
    raise ValueError(f"index has entries in [{signed.min()}, {signed.max()}], expected [0, {num_rows})")


@inner
def all_within(index, num_rows):
    """Whether all entries are below num_rows."""
    return not index.size or _highest_of(index) < np.uint64(num_rows)


@inner
def _highest_of(index):
    """The highest entry; as unsigned numbers, negative ones are above all others."""
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
