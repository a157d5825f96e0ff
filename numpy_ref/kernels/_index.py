"""Rows under an index: what every gather and scatter-add comes down to.

An index is flat and uint64 here: for signed ones numba would look at each entry whether it counts from
the end. Rows are slices of one axis, of which LLVM knows that they don't overlap.
"""

import numpy as np

from ..checks import check_index
from ._jit import compiled, inner


def checked_index(index, num_rows):
    """The index (Lq, Lk), flat, all entries in [0, num_rows); raises TypeError/ValueError."""
    flat = flat_index(index)
    check_flat_index(flat, num_rows)
    return flat


def flat_index(index):
    """Flat and unchecked; raises TypeError/ValueError unless it has integers on two axes."""
    index = np.asarray(index)
    if index.ndim != 2 or index.dtype.kind not in "iu":
        check_index(index, 0)  # says what is wrong with it
    return np.ascontiguousarray(index, dtype=np.int64).reshape(-1).view(np.uint64)


def check_flat_index(flat, num_rows):
    """All entries in [0, num_rows); raises ValueError. One pass over them."""
    if not _all_within(flat, num_rows):
        refuse(flat, num_rows)


def refuse(flat, num_rows):
    """Raises ValueError that says which entries there are."""
    signed = flat.view(np.int64)
    raise ValueError(f"index has entries in [{signed.min()}, {signed.max()}], expected [0, {num_rows})")


@inner
def all_within(index, num_rows):
    """Whether all entries are below num_rows; what was negative is above."""
    highest = np.uint64(0)
    for entry in index:
        highest = max(highest, entry)
    return not index.size or highest < np.uint64(num_rows)


@compiled
def _all_within(index, num_rows):
    return all_within(index, num_rows)


@inner
def gather_row(row, table, index):
    """row[n] = table[index[n]]"""
    for n in range(row.size):
        row[n] = table[index[n]]


@inner
def scatter_row(sums, index, row):
    """sums[index[n]] += row[n], in order"""
    for n in range(row.size):
        sums[index[n]] += row[n]
