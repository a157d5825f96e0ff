"""The bias gather and its scatter-add. A thread owns a head: no races, the same bits for any number."""

import numpy as np
from numba import njit

from ..checks import check_floating, check_index, check_shape
from . import _threads
from ._buffers import empty
from ._jit import compiled
from ._threads import next_piece, share

MIN_PARALLEL = 1 << 14  # elements, about 10 µs of work: below, one thread does it at once


def bias_forward(table, index):
    """bias[h, i, j] = table[index[i, j], h]; see `numpy_ref.ops.bias_forward`."""
    check_floating(table=table)
    check_shape("table", table, (None, None))
    flat = checked_index(index, table.shape[0])
    by_head = np.ascontiguousarray(table.T)  # (H, R): a head's row stays in cache
    bias = empty((table.shape[1], flat.size), table.dtype)
    if bias.size < MIN_PARALLEL:
        _gather_alone(by_head, flat, bias)
    else:
        _threads.run(_gather, len(bias), by_head, flat, bias)
    return bias.reshape(table.shape[1], *np.shape(index))


def bias_backward(dbias, index, num_rows):
    """dtable[r, h] = Σ over i, j with index[i, j] = r of dbias[h, i, j]; see `numpy_ref.ops`."""
    check_floating(dbias=dbias)
    check_shape("dbias", dbias, (None, *np.shape(index)))
    flat = checked_index(index, num_rows)
    rows = np.ascontiguousarray(dbias).reshape(len(dbias), flat.size)
    sums = np.zeros((len(dbias), num_rows))  # float64, as the definition
    if rows.size < MIN_PARALLEL:
        _scatter_add_alone(rows, flat, sums)
    else:
        _threads.run(_scatter_add, len(rows), rows, flat, sums)
    return sums.T.astype(dbias.dtype, order="C")


def checked_index(index, num_rows):
    """The index as flat int64 with all entries in [0, num_rows); raises TypeError/ValueError."""
    index = np.asarray(index)
    if index.ndim != 2 or index.dtype.kind not in "iu":
        check_index(index, num_rows)  # says what is wrong with it
    flat = np.ascontiguousarray(index, dtype=np.int64).reshape(-1)
    check_flat_index(flat, num_rows)
    return flat


def check_flat_index(flat, num_rows):
    """All entries of the flat int64 index in [0, num_rows); raises ValueError. One pass over them."""
    if flat.size:
        low, high = _bounds(flat)
        if low < 0 or high >= num_rows:
            raise ValueError(f"index has entries in [{low}, {high}], expected [0, {num_rows})")


@compiled
def _bounds(flat):
    low = high = flat[0]
    for entry in flat:
        low, high = min(low, entry), max(high, entry)
    return low, high


@njit
def _gather_head(by_head, flat, bias):
    for n in range(flat.size):
        bias[n] = by_head[flat[n]]


@njit
def _scatter_add_head(dbias, flat, sums):
    for n in range(flat.size):
        sums[flat[n]] += dbias[n]


@compiled
def _gather_alone(by_head, flat, bias):
    for head in range(len(bias)):
        _gather_head(by_head[head], flat, bias[head])


@compiled
def _scatter_add_alone(dbias, flat, sums):
    for head in range(len(dbias)):
        _scatter_add_head(dbias[head], flat, sums[head])


@compiled
def _gather(worker, words, helpers, *arguments):
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, by_head, flat, bias = arguments
    head = next_piece(progress)
    while head < pieces:
        _gather_head(by_head[head], flat, bias[head])
        head = next_piece(progress)


@compiled
def _scatter_add(worker, words, helpers, *arguments):
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, dbias, flat, sums = arguments
    head = next_piece(progress)
    while head < pieces:
        _scatter_add_head(dbias[head], flat, sums[head])
        head = next_piece(progress)
