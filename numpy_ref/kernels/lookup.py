"""Vectors under an index through one product per query: gather from, or scatter into, q · embeddingᵀ.

Memory grows with Lq · R instead of Lq · Lk · d. One thread owns a query's row: no races, the same bits
for any number of threads. The product multiplies a row that no pair refers to by zero, where the
definition leaves it out: with an infinity or NaN there, 0 · ∞ makes more of the result NaN.
"""

import numpy as np

from ..gate import Cache, gradient, recall
from ..ops.linear import rows_of
from ..ops.lookup import ScoreLookupGrads, ValueLookupGrads, checked_lookup
from .machine import threads
from .machine.arrays import contiguous
from .machine.index import checked_index
from .machine.jit import compiled
from .machine.runs import gather_row, scatter_row
from .machine.threads import PIECE, share, taken


def score_lookup_forward(q, embedding, index):
    """bias[b, h, i, j] = (q[b, h, i] embeddingᵀ)[index[i, j]]; see `numpy_ref.ops`."""
    q, embedding, index = checked_lookup("q", q, embedding, index)
    bias = _gather(q @ embedding.swapaxes(-1, -2), index)
    return bias, Cache(score_lookup_forward, q, embedding, index)


def score_lookup_backward(dbias, cache):
    """dq and dembedding through the rows' sums; see `numpy_ref.ops`."""
    q, embedding, index = recall(cache, score_lookup_forward)
    dbias = gradient("dbias", dbias, (*q.shape[:2], *index.shape), q.dtype)
    dproduct = _scatter(dbias, index, embedding.shape[1])  # (B, H, Lq, R)
    return ScoreLookupGrads(dproduct @ embedding, _reduce(dproduct, q, len(embedding)))


def value_lookup_forward(p, embedding, index):
    """out[b, h, i] = (p summed over equal rows) embedding; see `numpy_ref.ops`."""
    p, embedding, index = checked_lookup("p", p, embedding, index)
    sums = _scatter(p, index, embedding.shape[1])
    return sums @ embedding, Cache(value_lookup_forward, sums, embedding, index)


def value_lookup_backward(dout, cache):
    """dp and dembedding; see `numpy_ref.ops`."""
    sums, embedding, index = recall(cache, value_lookup_forward)
    dout = gradient("dout", dout, (*sums.shape[:3], embedding.shape[2]), sums.dtype)
    dp = _gather(dout @ embedding.swapaxes(-1, -2), index)
    return ValueLookupGrads(dp, _reduce(sums, dout, len(embedding)))


def _gather(product, index):
    """product (B, H, Lq, R) -> (B, H, Lq, Lk)"""
    out = np.empty((*product.shape[:3], index.shape[1]), product.dtype)
    _over(_gather_rows, rows_of(out), rows_of(product), _checked(index, product.shape[3]), rows_of(out))
    return out


def _scatter(values, index, num_rows):
    """values (B, H, Lq, Lk) -> sums over equal index (B, H, Lq, R), added up in float64."""
    sums = np.zeros((*values.shape[:3], num_rows))
    rows = rows_of(*contiguous(values))
    _over(_scatter_rows, rows, rows, _checked(index, num_rows), rows_of(sums))
    return sums.astype(values.dtype)


def _reduce(left, right, heads):
    """Σ over b, i (and h where the heads share) of left[b, h, i, r] right[b, h, i, d]."""
    by_head = (left.swapaxes(-1, -2) @ right).sum(0)
    return by_head.sum(0, keepdims=True) if heads == 1 else by_head


def _checked(index, num_rows):
    """uint64 with all entries in [0, num_rows), also when it was changed since forward checked it."""
    return checked_index(index, num_rows).reshape(index.shape)


def _over(loop, values, *arrays):
    """Rows in pieces of about PIECE elements of `values`."""
    height = max(1, PIECE // max(1, values.shape[1]))
    threads.run(loop, -(-len(values) // height), *arrays, height)


@compiled
def _gather_rows(worker, words, helpers, *arguments):
    """out (B · H · Lq, Lk) = product (B · H · Lq, R) under the index, `height` rows a piece."""
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, product, index, out, height = arguments
    for piece in taken(progress, pieces):
        for row in range(piece * height, min(piece * height + height, len(out))):
            gather_row(out[row], product[row], index[row % len(index)], out.shape[1])


@compiled
def _scatter_rows(worker, words, helpers, *arguments):
    """sums (B · H · Lq, R) += values (B · H · Lq, Lk) under the index, `height` rows a piece."""
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, values, index, sums, height = arguments
    for piece in taken(progress, pieces):
        for row in range(piece * height, min(piece * height + height, len(values))):
            scatter_row(sums[row], index[row % len(index)], values[row], values.shape[1])
