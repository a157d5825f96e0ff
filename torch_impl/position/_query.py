"""What schemes that look at the query are: vectors under an index, multiplied with the query."""

import math

from torch import Tensor
from torch.nn import functional

from .. import ops
from ..checks import check_positive_int
from ..gate import check_shape, floating
from ..types import DTypeLike, Generator, Size, SizeLike
from ._base import PositionBias, ScoreTerms


class QueryBias(PositionBias):
    """bias[b, h, i, j] = factor · Σ_t q[b, h, i] · embedding_t[h, index_t[i, j]],  factor 1/√d or 1.

    A scheme defines `make_index` ((Lq, Lk), or (terms, Lq, Lk)) and `embeddings(…)` ((num_heads or 1, R,
    d) each). One that also adds to the values defines `value_embedding(…)`:
    out[b, h, i] += Σ_j P[b, h, i, j] · value_embedding[h, index[i, j]].
    An embedding that prefix tokens do not read for themselves ends with a row of zeros for them.
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
        """The bias, and for the values an embedding and its index."""
        sizes = self.sizes_of(x.shape[1], "x")
        return ScoreTerms(None, None, self(q, k, *sizes), *self.value_lookup(*sizes))

    def embeddings(self, q_size: Size, k_size: Size, q_offset: int) -> list[Tensor]:
        """One (num_heads or 1, R, head_dim) for each term."""
        raise NotImplementedError

    def value_embedding(self, q_size: Size, k_size: Size, q_offset: int) -> Tensor | None:
        """(num_heads or 1, R, head_dim) under the first term's index for the values, or None."""

    def value_lookup(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> tuple[Tensor, Tensor] | tuple[None, None]:
        """(value_embedding, index), or (None, None) for a scheme that leaves the values alone."""
        sizes = self.sizes(q_size, k_size, q_offset)
        embedding = self.value_embedding(*sizes)
        return (None, None) if embedding is None else (embedding, self.indices(*sizes)[0])

    def indices(self, q_size: Size, k_size: Size, q_offset: int) -> Tensor:
        """(terms, P + Lq, P + Lk)"""
        own = (q_size, k_size, q_offset) == (self.query_size, self.window_size, 0)
        index = self.index if own else self.make_index(q_size, k_size, q_offset).to(self.index.device)
        return index.reshape(-1, *index.shape[-2:])

    def forward(
        self,
        q: Tensor,
        k: Tensor | None = None,
        q_size: SizeLike | None = None,
        k_size: SizeLike | None = None,
        q_offset: int = 0,
    ) -> Tensor:
        """q (B, num_heads, P + Lq, head_dim) -> bias (B, num_heads, P + Lq, P + Lk); k is not read."""
        sizes = self.sizes(q_size, k_size, q_offset)
        self.check_query(q, sizes[0])
        pairs = zip(self.embeddings(*sizes), self.indices(*sizes), strict=True)
        terms = [ops.score_lookup(q, embedding, index) for embedding, index in pairs]
        return self.factor * sum(terms[1:], start=terms[0])

    def check_query(self, q: Tensor, q_size: Size) -> Tensor:
        """q, of the shape that the sizes make; raises TypeError/ValueError."""
        length = self.num_prefix_tokens + math.prod(q_size)
        check_heads("q", q, None, self.num_heads, length, self.head_dim)
        return q

    def check_keys(self, k: Tensor | None, batch: int, k_size: Size) -> Tensor:
        """k, of the shape that q and the size make; raises TypeError/ValueError."""
        if k is None:
            raise ValueError(f"k is None, but a {self.bias_type!r} bias like this looks at the keys too")
        length = self.num_prefix_tokens + math.prod(k_size)
        check_heads("k", k, batch, self.num_heads, length, self.head_dim)
        return k

    def with_zero_row(self, embedding: Tensor) -> Tensor:
        """The row that pairs with a prefix token share, only there when there are any."""
        return functional.pad(embedding, (0, 0, 0, 1)) if self.num_prefix_tokens else embedding


def check_heads(
    name: str, x: Tensor, batch: int | None, num_heads: int, length: int, head_dim: int
) -> None:
    """x is a tensor (batch or any, num_heads, length, head_dim); raises TypeError/ValueError."""
    floating(**{name: x})
    check_shape(name, x, (batch, num_heads, length, head_dim))
