"""Vectors under an index: for the scores (q · vector) and for the values (P-weighted sum of vectors).

The schemes that look at the query are made of these. Source: Shaw et al. (arXiv 1803.02155), eq. 3, 4.
"""

from typing import NamedTuple

import numpy as np

from ..checks import check_shape
from ..gate import Cache, check_entries, floating, gradient, integers, recall
from ..types import Array
from .bias import bias_backward


class ScoreLookupGrads(NamedTuple):
    """The gradients of `score_lookup_forward`'s arguments."""

    dq: Array
    dembedding: Array


class ValueLookupGrads(NamedTuple):
    """The gradients of `value_lookup_forward`'s arguments."""

    dp: Array
    dembedding: Array


def score_lookup_forward(q: Array, embedding: Array, index: Array) -> tuple[Array, Cache]:
    """Return bias[b, h, i, j] = q[b, h, i] · embedding[h, index[i, j]].

    q: (B, H, Lq, d).
    embedding: (H, R, d), or (1, R, d) shared by the heads.
    index: integers (Lq, Lk) in [0, R).
    Returns bias (B, H, Lq, Lk) and the cache for `score_lookup_backward`.
    Raises TypeError/ValueError naming what does not fit.
    """
    q, embedding, index = checked_lookup("q", q, embedding, index)
    vectors = np.broadcast_to(embedding[:, index], (q.shape[1], *index.shape, q.shape[3]))
    bias = np.einsum("bhid,hijd->bhij", q, vectors, optimize=True)
    return bias, Cache(score_lookup_forward, q, embedding, index)


def score_lookup_backward(dbias: Array, cache: Cache) -> ScoreLookupGrads:
    """Return the gradients:

    dq[b, h, i] = Σ_j dbias[b, h, i, j] embedding[h, index[i, j]],
    dembedding[h, r] = Σ over b, i, j with index[i, j] = r of dbias[b, h, i, j] q[b, h, i],
    summed over h too if the heads share the embedding.

    dbias: (B, H, Lq, Lk).
    cache: what `score_lookup_forward` returned.
    """
    q, embedding, index = recall(cache, score_lookup_forward)
    dbias = gradient("dbias", dbias, (*q.shape[:2], *index.shape), q.dtype)
    check_entries("index", index, embedding.shape[1])  # it may be the caller's, changed since
    vectors = np.broadcast_to(embedding[:, index], (q.shape[1], *index.shape, q.shape[3]))
    dq = np.einsum("bhij,hijd->bhid", dbias, vectors, optimize=True)
    dvectors = np.einsum("bhij,bhid->hdij", dbias, q, optimize=True)
    return ScoreLookupGrads(dq, scatter(dvectors, embedding, index))


def value_lookup_forward(p: Array, embedding: Array, index: Array) -> tuple[Array, Cache]:
    """Return out[b, h, i] = Σ_j p[b, h, i, j] · embedding[h, index[i, j]].

    p: (B, H, Lq, Lk).
    embedding: (H, R, d), or (1, R, d) shared by the heads.
    index: integers (Lq, Lk) in [0, R).
    Returns out (B, H, Lq, d) and the cache for `value_lookup_backward`.
    Raises TypeError/ValueError naming what does not fit.
    """
    p, embedding, index = checked_lookup("p", p, embedding, index)
    vectors = np.broadcast_to(embedding[:, index], (p.shape[1], *index.shape, embedding.shape[2]))
    out = np.einsum("bhij,hijd->bhid", p, vectors, optimize=True)
    return out, Cache(value_lookup_forward, p, embedding, index)


def value_lookup_backward(dout: Array, cache: Cache) -> ValueLookupGrads:
    """Return the gradients:

    dp[b, h, i, j] = dout[b, h, i] · embedding[h, index[i, j]],
    dembedding[h, r] = Σ over b, i, j with index[i, j] = r of p[b, h, i, j] dout[b, h, i],
    summed over h too if the heads share the embedding.

    dout: (B, H, Lq, d).
    cache: what `value_lookup_forward` returned.
    """
    p, embedding, index = recall(cache, value_lookup_forward)
    dout = gradient("dout", dout, (*p.shape[:3], embedding.shape[2]), p.dtype)
    check_entries("index", index, embedding.shape[1])  # it may be the caller's, changed since
    vectors = np.broadcast_to(embedding[:, index], (p.shape[1], *index.shape, embedding.shape[2]))
    dp = np.einsum("bhid,hijd->bhij", dout, vectors, optimize=True)
    dvectors = np.einsum("bhij,bhid->hdij", p, dout, optimize=True)
    return ValueLookupGrads(dp, scatter(dvectors, embedding, index))


def scatter(dvectors: Array, embedding: Array, index: Array) -> Array:
    """Return the embedding's gradient (H or 1, R, d) from that of the gathered rows (H, d, Lq, Lk)."""
    heads, dim = dvectors.shape[:2]
    rows = embedding.shape[1]
    dembedding = bias_backward(dvectors.reshape(heads * dim, *index.shape), index, rows)  # (R, H·d)
    by_head = dembedding.reshape(rows, heads, dim).swapaxes(0, 1)
    return by_head.sum(0, keepdims=True) if len(embedding) == 1 else np.ascontiguousarray(by_head)


def checked_lookup(name: str, x: Array, embedding: Array, index: Array) -> tuple[Array, Array, Array]:
    """Return plain arrays; raises TypeError/ValueError naming what does not fit.

    name, x: "q" with (B, H, Lq, d), or "p" with (B, H, Lq, Lk).
    """
    x, embedding = floating(**{name: x}, embedding=embedding)
    check_shape(name, x, (None, None, None, None))
    check_embedding("embedding", embedding, x.shape[1], x.shape[3] if name == "q" else None)
    index = integers("index", index, x.shape[2], None if name == "q" else x.shape[3])
    check_entries("index", index, embedding.shape[1])
    return x, embedding, index


def check_embedding(name: str, embedding: Array, heads: int, dim: int | None) -> None:
    """Raise ValueError unless the shape is (1 or heads, R, dim); None: any dim."""
    check_shape(name, embedding, (None, None, dim))
    if len(embedding) not in (1, heads):
        raise ValueError(f"{name} has shape {embedding.shape}, expected 1 or {heads} heads first")
