"""The base of schemes that look at the query: vectors under an index, multiplied with the query."""

import math

from torch import Tensor
from torch.nn import functional

from ..checks import check_positive_int
from ..gate import check_shape, floating
from ..ops import QueryLookup
from ..types import DTypeLike, Generator, Size, SizeLike
from ._base import PositionBias, ScoreTerms


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
        head_dim = check_positive_int(head_dim=head_dim)
        super().__init__(num_heads, window_size, init_std, num_prefix_tokens, dtype, generator)
        self.head_dim = head_dim

    def score_terms(self, x: Tensor, q: Tensor, k: Tensor) -> ScoreTerms:
        """Return `ScoreTerms`: the bias, and for the values an embedding and its index."""
        sizes = self.sizes_of(x.shape[1], "x")
        embedding, index = self.value_lookup(*sizes)
        lookup = self.query_lookup(q, k, *sizes)
        return ScoreTerms(value_embedding=embedding, value_index=index, query_lookup=lookup)

    def query_lookup(
        self, q: Tensor, k: Tensor | None, q_size: Size, k_size: Size, q_offset: int
    ) -> QueryLookup:
        """Return the bias as `QueryLookup`, so that attention need not store it.

        q, k: as in `forward`; q_size, k_size, q_offset: as `sizes` returns them.
        """
        sizes = q_size, k_size, q_offset
        self.check_query(q, q_size)
        return QueryLookup(q, self.embeddings(*sizes), self.indices(*sizes).unbind(), self.factor)

    def embeddings(self, q_size: Size, k_size: Size, q_offset: int) -> list[Tensor]:
        """Return an embedding (H or 1, R, d) for each term."""
        raise NotImplementedError

    def value_embedding(self, q_size: Size, k_size: Size, q_offset: int) -> Tensor | None:
        """Return (H or 1, R, d) under the first term's index for the values, or None."""

    def value_lookup(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> tuple[Tensor, Tensor] | tuple[None, None]:
        """Return (value_embedding, index), or (None, None) if the scheme adds nothing to the values."""
        sizes = self.sizes(q_size, k_size, q_offset)
        embedding = self.value_embedding(*sizes)
        return (None, None) if embedding is None else (embedding, self.indices(*sizes)[0])

    def indices(self, q_size: Size, k_size: Size, q_offset: int) -> Tensor:
        """Return the index of each term, (terms, P + Lq, P + Lk)."""
        sizes = q_size, k_size, q_offset
        index = self.index if self._is_window(*sizes) else self.make_index(*sizes)
        return index.reshape(-1, *index.shape[-2:])

    def forward(
        self,
        q: Tensor,
        k: Tensor | None = None,
        q_size: SizeLike | None = None,
        k_size: SizeLike | None = None,
        q_offset: int = 0,
    ) -> Tensor:
        """Return the bias (B, H, P + Lq, P + Lk).

        q: (B, H, P + Lq, d); k: (B, H, P + Lk, d), for a scheme that reads it; q_size, k_size, q_offset:
            as `sizes`.
        """
        return self.query_lookup(q, k, *self.sizes(q_size, k_size, q_offset)).bias()

    def check_query(self, q: Tensor, q_size: Size) -> Tensor:
        """Return q, which has to be (B, H, P + Lq, d).

        q_size: grid of the queries. Raises ValueError/TypeError.
        """
        length = self.num_prefix_tokens + math.prod(q_size)
        check_heads("q", q, None, self.num_heads, length, self.head_dim)
        return q

    def check_keys(self, k: Tensor | None, batch: int, k_size: Size) -> Tensor:
        """Return k, which has to be (batch, H, P + Lk, d).

        k_size: grid of the keys. Raises ValueError/TypeError.
        """
        if k is None:
            raise ValueError(f"k is None, but a {self.bias_type!r} bias like this looks at the keys too")
        length = self.num_prefix_tokens + math.prod(k_size)
        check_heads("k", k, batch, self.num_heads, length, self.head_dim)
        return k

    def with_zero_row(self, embedding: Tensor) -> Tensor:
        """Append the row of zeros that all pairs with a prefix token read, if there are such tokens."""
        return functional.pad(embedding, (0, 0, 0, 1)) if self.num_prefix_tokens else embedding


def check_heads(
    name: str, x: Tensor, batch: int | None, num_heads: int, length: int, head_dim: int
) -> None:
    """Raise ValueError/TypeError unless x is (batch, H, length, d); batch None: any number."""
    floating(**{name: x})
    check_shape(name, x, (batch, num_heads, length, head_dim))
