"""What every implementation of attention is given, checked."""

import math
from typing import NamedTuple

from torch import Tensor

from ...checks import as_number
from ...gate import check_shape, floating, integers
from ..bias import bias as gather_bias
from ..lookup import check_embedding
from .offsets import Offsets, check_offsets
from .query_lookup import QueryLookup, check_query_lookup


class Inputs(NamedTuple):
    """The checked arguments of `attention`, under their names; indices are int64.

    With a table there is an index, or offsets, or both: then they say the same.
    """

    q: Tensor
    k: Tensor
    v: Tensor
    table: Tensor | None
    index: Tensor | None  # pyright: ignore[reportIncompatibleMethodOverride]  (tuple.index is not called)
    bias: Tensor | None
    mask: Tensor | None
    scale: float
    dropout: Tensor | None
    value_embedding: Tensor | None
    value_index: Tensor | None
    offsets: Offsets | None
    query_lookup: QueryLookup | None

    def additive(self) -> Tensor | None:
        """Return the sum of what is added to the scores, (B, H, Lq, Lk) by broadcasting, or None."""
        terms = [] if self.table is None else [gather_bias(self.table, self.pairs())]
        terms += [] if self.query_lookup is None else [self.query_lookup.bias()]
        terms += [] if self.bias is None else [self.bias]
        if self.mask is not None:
            terms.append(self._mask_of_batch(self.mask))
        if not terms:
            return None
        total = sum(terms[1:], start=terms[0])
        return total.expand(*self.q.shape[:3], self.k.shape[2])

    def pairs(self) -> Tensor:
        """Return the index (Lq, Lk) of the table's rows, made from the offsets if need be."""
        if self.index is not None:
            return self.index
        assert self.offsets is not None
        return self.offsets.index()

    def _mask_of_batch(self, mask: Tensor) -> Tensor:
        """Repeat the masks of nW windows along the batch."""
        if mask.dim() < 4 or mask.shape[0] in (1, self.q.shape[0]):
            return mask
        return mask.repeat(self.q.shape[0] // mask.shape[0], 1, 1, 1)


def check_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    table: Tensor | None = None,
    index: Tensor | None = None,
    bias: Tensor | None = None,
    mask: Tensor | None = None,
    scale: float | None = None,
    dropout: Tensor | None = None,
    value_embedding: Tensor | None = None,
    value_index: Tensor | None = None,
    offsets: Offsets | None = None,
    query_lookup: QueryLookup | None = None,
) -> Inputs:
    """Return the checked arguments; raises ValueError/TypeError naming the one that does not fit."""
    optional = {"table": table, "bias": bias, "mask": mask, "dropout": dropout}
    floating(optional | {"value_embedding": value_embedding}, q=q, k=k, v=v)
    check_shape("q", q, (None, None, None, None))
    check_shape("k", k, (*q.shape[:2], None, q.shape[3]))
    target = batch, heads, q_len, k_len = (*q.shape[:3], k.shape[2])
    if not k_len:
        raise ValueError(f"k has shape {tuple(k.shape)}: the softmax over no keys is undefined")
    check_shape("v", v, (batch, heads, k_len, None))
    index = _check_lookup(table, index, offsets, heads, q_len, k_len)
    if query_lookup is not None:
        query_lookup = check_query_lookup(query_lookup, target)
        _check_broadcast("query_lookup.base", query_lookup.base, target)
    _check_broadcast("bias", bias, target)
    window = mask
    if mask is not None and mask.dim() == 4 and mask.shape[0] and batch % mask.shape[0] == 0:
        window = mask[:1]  # nW windows repeat along the batch
    _check_broadcast("mask", window, target)
    if dropout is not None:
        check_shape("dropout", dropout, target)
    _check_together(value_embedding=value_embedding, value_index=value_index)
    if value_embedding is not None:
        check_embedding("value_embedding", value_embedding, heads, v.shape[3])
        value_index = integers("value_index", value_index, q_len, k_len)
    scale = _scale(q, scale)
    return Inputs(
        q,
        k,
        v,
        table,
        index,
        bias,
        mask,
        scale,
        dropout,
        value_embedding,
        value_index,
        offsets,
        query_lookup,
    )


def _check_lookup(
    table: Tensor | None,
    index: Tensor | None,
    offsets: Offsets | None,
    heads: int,
    q_len: int,
    k_len: int,
) -> Tensor | None:
    """Check the table and what says which rows to read; return the index as int64."""
    if offsets is None:
        _check_together(table=table, index=index)
    elif table is None:
        raise ValueError("table and offsets belong together: got only offsets")
    if table is not None:
        check_shape("table", table, (None, heads))
    if offsets is not None:
        check_offsets(offsets, q_len, k_len)
    return index if index is None else integers("index", index, q_len, k_len)


def _scale(q: Tensor, scale: float | None) -> float:
    if scale is not None:
        return as_number("scale", scale)
    if not q.shape[3]:
        raise ValueError(f"q has shape {tuple(q.shape)}: without channels there is no scale 1/√d")
    return 1 / math.sqrt(q.shape[3])


def _check_together(**pair: Tensor | None) -> None:
    if len({value is None for value in pair.values()}) > 1:
        raise ValueError(f"{' and '.join(pair)} belong together: got only one of them")


def _check_broadcast(name: str, term: Tensor | None, target: tuple[int, ...]) -> None:
    """Check that the term, if there is one, broadcasts to the scores; raises ValueError."""
    if term is None:
        return
    shape = tuple(term.shape)
    tail = target[len(target) - len(shape) :]
    if len(shape) > 4 or any(s != 1 and s != t for s, t in zip(shape, tail, strict=True)):
        raise ValueError(f"{name} has shape {shape}, which does not broadcast to {target}")
