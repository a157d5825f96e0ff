"""The base of schemes that look at the query: vectors under an index, multiplied with the query."""

import math
from typing import NamedTuple

import numpy as np

from ..checks import check_positive_int, check_shape
from ..dispatch import F
from ..gate import floating, gradient
from ..ops import AttentionGrads
from ..types import Array, DTypeLike, Generator, Size, SizeLike
from ._base import PositionBias, ScoreTerms, TermGrads


class QueryGrads(NamedTuple):
    dq: Array | None
    dk: Array | None


class QueryBias(PositionBias):
    """Multiply the query with vectors under an index:
    bias[b, h, i, j] = factor · Σ_t q[b, h, i] · embedding_t[h, index_t[i, j]],  factor 1/√d or 1.

    A scheme defines `make_index` ([terms,] P + Lq, P + Lk), `embeddings(…)` ((H or 1, R, d) each),
    and in NumPy `embeddings_backward`. One that also adds to the values defines `value_embedding(…)`:
    out[b, h, i] += Σ_j P[b, h, i, j] · value_embedding[h, index[i, j]].
    If prefix tokens read no row of their own, the embedding ends with a row of zeros for them.

    head_dim: width d of a head.
    """

    looks_at_query = True
    factor = 1.0

    def __init__(
        self,
        num_heads: int,
        window_size: SizeLike,
        init_std: float,
        head_dim: int,
        num_prefix_tokens: int,
        dtype: DTypeLike | None,
        generator: Generator | None,
    ):
        self.head_dim: int = check_positive_int(head_dim=head_dim)
        super().__init__(num_heads, window_size, init_std, num_prefix_tokens, dtype, generator)

    def score_terms(self, x: Array, q: Array, k: Array) -> ScoreTerms:
        """Return `ScoreTerms`: the bias, and for the values an embedding and its index."""
        sizes = self.sizes_of(x.shape[1], "x")
        return ScoreTerms(None, None, self(q, k, *sizes), *self.value_lookup(*sizes))

    def score_terms_backward(self, grads: AttentionGrads) -> TermGrads:
        if grads.dvalue_embedding is not None:
            self.value_backward(grads.dvalue_embedding)
        assert grads.dbias is not None  # the terms have a bias
        return TermGrads(None, *self.backward(grads.dbias))

    def embeddings(self, q_size: Size, k_size: Size, q_offset: int) -> list[Array]:
        """Return an embedding (H or 1, R, d) for each term."""
        raise NotImplementedError

    def embeddings_backward(self, dembeddings: list[Array]) -> None:
        """Add their gradients to the parameters behind them."""
        raise NotImplementedError

    def value_embedding(self, q_size: Size, k_size: Size, q_offset: int) -> Array | None:
        """Return (H or 1, R, d) under the first term's index for the values, or None."""

    def value_lookup(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> tuple[Array, Array] | tuple[None, None]:
        """Return (value_embedding, index), or (None, None) if the scheme adds nothing to the values."""
        sizes = self.sizes(q_size, k_size, q_offset)
        embedding = self.value_embedding(*sizes)
        return (None, None) if embedding is None else (embedding, self.indices(*sizes)[0])

    def value_backward(self, dembedding: Array) -> None:
        """Add the gradient of `value_embedding(…)` to the parameter behind it."""
        raise NotImplementedError

    def indices(self, q_size: Size, k_size: Size, q_offset: int) -> Array:
        """Return the index of each term, (terms, P + Lq, P + Lk)."""
        is_window = (q_size, k_size, q_offset) == (self.query_size, self.window_size, 0)
        index = self.index if is_window else self.make_index(q_size, k_size, q_offset)
        return index.reshape(-1, *index.shape[-2:])

    def forward(
        self,
        q: Array,
        k: Array | None = None,
        q_size: SizeLike | None = None,
        k_size: SizeLike | None = None,
        q_offset: int = 0,
    ) -> Array:
        """Return the bias (B, H, P + Lq, P + Lk).

        q: (B, H, P + Lq, d); k: (B, H, P + Lk, d), for a scheme that reads it; q_size, k_size, q_offset:
            as `sizes`.
        """
        sizes = self.sizes(q_size, k_size, q_offset)
        q = self.check_query(q, sizes[0])
        caches, bias = [], np.zeros((), q.dtype)
        for embedding, index in zip(self.embeddings(*sizes), self.indices(*sizes), strict=True):
            term, cache = F.score_lookup_forward(q, embedding, index)
            caches.append(cache)
            bias = bias + term
        self._cache = caches, bias.shape, bias.dtype
        return self.factor * bias

    def backward(self, dbias: Array) -> QueryGrads:
        """Add the parameters' gradients up; return QueryGrads(dq, None).

        dbias: (B, H, P + Lq, P + Lk).
        """
        caches, shape, dtype = self.spend()
        dbias = self.factor * gradient("dbias", dbias, shape, dtype)
        grads = [F.score_lookup_backward(dbias, cache) for cache in caches]
        self.embeddings_backward([g.dembedding for g in grads])
        return QueryGrads(sum((g.dq for g in grads), np.zeros((), dtype)), None)

    def check_query(self, q: Array, q_size: Size) -> Array:
        """Return q, which has to be (B, H, P + Lq, d).

        q_size: grid of the queries. Raises ValueError/TypeError.
        """
        (q,) = floating(q=q)
        length = self.num_prefix_tokens + math.prod(q_size)
        check_shape("q", q, (None, self.num_heads, length, self.head_dim))
        return q

    def check_keys(self, k: Array | None, batch: int, k_size: Size) -> Array:
        """Return k, which has to be (batch, H, P + Lk, d).

        k_size: grid of the keys. Raises ValueError/TypeError.
        """
        if k is None:
            raise ValueError(f"k is None, but a {self.bias_type!r} bias like this looks at the keys too")
        (keys,) = floating(k=k)
        length = self.num_prefix_tokens + math.prod(k_size)
        check_shape("k", keys, (batch, self.num_heads, length, self.head_dim))
        return keys

    def with_zero_row(self, embedding: Array) -> Array:
        """Append the row of zeros that all pairs with a prefix token read, if there are such tokens."""
        if not self.num_prefix_tokens:
            return embedding
        heads, _, dim = embedding.shape
        return np.concatenate([embedding, np.zeros((heads, 1, dim), embedding.dtype)], axis=1)
