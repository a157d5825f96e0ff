"""A bias that looks at the query, described instead of stored: attention multiplies or looks up."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from ...gate import check_shape, floating
from ..lookup import checked_lookup, products, score_lookup


class QueryLookup(NamedTuple):
    """Describe the bias of a scheme that looks at the query:
    bias[b, h, i, j] = base[b, h, i, j] + factor · Σ_t q[b, h, i] · embeddings[t][h, indices[t][i, j]].

    q: (B, H, Lq, d); need not be the q of attention.
    embeddings: (H or 1, R, d) for each term t; indices: integers (Lq, Lk) in [0, R) for each.
    base: what else is added, broadcasts to (B, H, Lq, Lk); None for nothing, if there are terms.
    """

    q: Tensor
    embeddings: Sequence[Tensor]
    indices: Sequence[Tensor]
    factor: float = 1.0
    base: Tensor | None = None

    def bias(self) -> Tensor:
        """Return the bias itself, (B, H, Lq, Lk)."""
        pairs = zip(self.embeddings, self.indices, strict=True)
        terms = [score_lookup(self.q, embedding, index) for embedding, index in pairs]
        if not terms:
            assert self.base is not None
            return self.base
        looked_up = self.factor * sum(terms[1:], start=terms[0])
        return looked_up if self.base is None else self.base + looked_up

    def products(self) -> list[Tensor]:
        """Return factor · q · embedding of every row, (B, H, Lq, R) for each term."""
        return [self.factor * products(self.q, embedding) for embedding in self.embeddings]


def check_query_lookup(lookup: QueryLookup, shape: tuple[int, ...]) -> QueryLookup:
    """Return it with int64 indices; raises TypeError/ValueError.

    shape: (B, H, Lq, Lk).
    """
    if not isinstance(lookup, QueryLookup):
        raise TypeError(f"query_lookup is a {type(lookup).__name__}, expected QueryLookup")
    floating({"query_lookup.base": lookup.base}, **{"query_lookup.q": lookup.q})
    check_shape("query_lookup.q", lookup.q, (*shape[:3], None))
    counts = len(lookup.embeddings), len(lookup.indices)
    if counts[0] != counts[1]:
        raise ValueError(f"query_lookup has {counts[0]} embeddings and {counts[1]} indices")
    if counts == (0, 0) and lookup.base is None:
        raise ValueError("query_lookup has neither a term nor a base")
    pairs = zip(lookup.embeddings, lookup.indices, strict=True)
    checked = [checked_lookup("q", lookup.q, embedding, index)[1:] for embedding, index in pairs]
    for _, index in checked:
        check_shape("query_lookup.indices", index, shape[2:])
    return lookup._replace(
        embeddings=[embedding for embedding, _ in checked], indices=[index for _, index in checked]
    )
