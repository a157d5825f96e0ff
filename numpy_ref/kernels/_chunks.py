"""Fixed pieces of work on all cores; where a piece ends never depends on the number of threads."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np

CHUNK_FLOPS = 1 << 24  # a third of a millisecond on one core; below, waking a thread is not worth it


def matmul(a, b):
    """a (M, K) @ b (K, N), the rows of a in pieces of at least CHUNK_FLOPS, each by one BLAS call.

    NumPy lets go of the interpreter lock inside BLAS. With BLAS itself on one thread, as the training
    command sets it, the result has the same bits on any number of cores.
    """
    rows = max(1, CHUNK_FLOPS // max(1, 2 * b.size))
    if len(a) < 2 * rows:
        return a @ b
    out = np.empty((len(a), b.shape[1]), a.dtype)
    starts = range(0, len(a) - rows + 1, rows)  # the last piece takes the rest
    pieces = [slice(s, s + rows if s + 2 * rows <= len(a) else len(a)) for s in starts]
    others = [_pool().submit(np.matmul, a[p], b, out=out[p]) for p in pieces[1:]]
    np.matmul(a[pieces[0]], b, out=out[pieces[0]])
    for other in others:
        other.result()
    return out


@cache
def _pool():
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="numpy_ref")
