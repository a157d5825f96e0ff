"""The bias gather and its scatter-add. A piece is a head: no races, the same bits for any threads."""

import numpy as np

from ..checks import check_shape
from ..gate import floating, integers
from ..ops.bias import checked_scatter
from .machine import threads
from .machine.arrays import contiguous
from .machine.buffers import empty
from .machine.index import all_within, checked_index, flat_index, refuse
from .machine.jit import compiled
from .machine.runs import gather_row, scatter_row
from .machine.threads import share, taken

MIN_PARALLEL = 1 << 14  # elements, about 10 µs of work: below, one call does it all


def bias_forward(table, index):
    """bias[h, i, j] = table[index[i, j], h]; see `numpy_ref.ops.bias_forward`."""
    (table,) = floating(table=table)
    check_shape("table", table, (None, None))
    index = integers("index", index, None, None)
    (by_head,), flat = contiguous(table.T), flat_index(index)  # a head's row stays in cache
    bias, keys = empty((len(by_head), flat.size), table.dtype), index.shape[1]
    if bias.size >= MIN_PARALLEL:
        flat = checked_index(index, len(table))
        threads.run(_gather, len(bias), by_head, flat, keys, bias)
    elif not _gather_alone(by_head, flat, keys, bias):
        refuse(flat, len(table))
    return bias.reshape(len(by_head), *index.shape)


def bias_backward(dbias, index, num_rows):
    """dtable[r, h] = Σ over i, j with index[i, j] = r of dbias[h, i, j]; see `numpy_ref.ops`."""
    dbias, index, num_rows = checked_scatter(dbias, index, num_rows)
    (rows,), flat = contiguous(dbias), flat_index(index)
    rows, keys = rows.reshape(len(rows), flat.size), index.shape[1]
    sums = np.zeros((len(dbias), num_rows))  # float64, as the definition
    if rows.size >= MIN_PARALLEL:
        flat = checked_index(index, num_rows)
        threads.run(_scatter_add, len(rows), rows, flat, keys, sums)
    elif not _scatter_add_alone(rows, flat, keys, sums):
        refuse(flat, num_rows)
    return sums.T.astype(dbias.dtype, order="C")


@compiled
def _gather_alone(by_head, flat, keys, bias):
    """The gather in one call -> True; False, with nothing done, if an entry is outside the table."""
    if not all_within(flat, by_head.shape[1]):
        return False
    for head in range(len(bias)):
        gather_row(bias[head], by_head[head], flat, keys)
    return True


@compiled
def _scatter_add_alone(dbias, flat, keys, sums):
    """The scatter-add in one call -> True; False, with nothing done, if an entry is outside."""
    if not all_within(flat, sums.shape[1]):
        return False
    for head in range(len(dbias)):
        scatter_row(sums[head], flat, dbias[head], keys)
    return True


@compiled
def _gather(worker, words, helpers, *arguments):
    """bias (H, Lq · Lk) = by_head (H, R) under the index, a head a piece."""
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, by_head, flat, keys, bias = arguments
    for head in taken(progress, pieces):
        gather_row(bias[head], by_head[head], flat, keys)


@compiled
def _scatter_add(worker, words, helpers, *arguments):
    """sums (H, R) += dbias (H, Lq · Lk) under the index, a head a piece."""
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, dbias, flat, keys, sums = arguments
    for head in taken(progress, pieces):
        scatter_row(sums[head], flat, dbias[head], keys)
