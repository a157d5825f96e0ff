"""The bias gather and its scatter-add, jitted. One thread owns a head: no races, the same bits for any
number of threads."""

import numpy as np
from numba import prange

from ..checks import check_floating, check_index, check_shape
from ._jit import jit


def bias_forward(table, index):
    """bias[h, i, j] = table[index[i, j], h]; see `numpy_ref.ops.bias_forward`."""
    check_floating(table=table)
    check_shape("table", table, (None, None))
    check_index(index, table.shape[0])
    flat = np.ascontiguousarray(index, dtype=np.int64).reshape(-1)
    by_head = np.ascontiguousarray(table.T)  # (H, R): a head's row stays in cache
    bias = np.empty((table.shape[1], flat.size), table.dtype)
    _gather(bias.size, by_head, flat, bias)
    return bias.reshape(table.shape[1], *np.shape(index))


def bias_backward(dbias, index, num_rows):
    """dtable[r, h] = Σ over i, j with index[i, j] = r of dbias[h, i, j]; see `numpy_ref.ops`."""
    check_floating(dbias=dbias)
    check_index(index, num_rows)
    check_shape("dbias", dbias, (None, *np.shape(index)))
    flat = np.ascontiguousarray(index, dtype=np.int64).reshape(-1)
    sums = np.zeros((len(dbias), num_rows))  # float64, as the definition
    _scatter_add(dbias.size, np.ascontiguousarray(dbias).reshape(len(dbias), -1), flat, sums)
    return np.ascontiguousarray(sums.T.astype(dbias.dtype))


@jit
def _gather(by_head, flat, bias):
    for h in prange(bias.shape[0]):
        for n in range(flat.size):
            bias[h, n] = by_head[h, flat[n]]


@jit
def _scatter_add(dbias, flat, sums):
    for h in prange(dbias.shape[0]):
        for n in range(flat.size):
            sums[h, flat[n]] += dbias[h, n]
