"""Attention with relative position bias (arXiv 1706.03762 §3.2.1; bias as in arXiv 2103.14030)."""

import math
from typing import NamedTuple

import numpy as np

from ..checks import as_number, check_shape
from ..gate import Cache, floating, gradient, integers, recall
from ..types import Array
from .bias import bias_backward, bias_forward
from .lookup import check_embedding, value_lookup_backward, value_lookup_forward
from .softmax import softmax_backward, softmax_forward


class AttentionGrads(NamedTuple):
    """The gradients of `attention_forward`'s arguments; None for one that was not given."""

    dq: Array
    dk: Array
    dv: Array
    dtable: Array | None
    dbias: Array | None
    dvalue_embedding: Array | None = None


def attention_weights(
    q: Array,
    k: Array,
    table: Array | None = None,
    index: Array | None = None,
    bias: Array | None = None,
    mask: Array | None = None,
    scale: float | None = None,
) -> Array:
    """Return the probabilities P = softmax(scale · q kᵀ + table[index] + bias + mask), (B, H, Lq, Lk).

    Arguments and errors as for `attention_forward`.
    """
    given = checked_attention(q, k, k, table, index, bias, mask, scale)  # no values: k in their place
    return _softmax_of_scores(given)[0]


def attention_forward(
    q: Array,
    k: Array,
    v: Array,
    table: Array | None = None,
    index: Array | None = None,
    bias: Array | None = None,
    mask: Array | None = None,
    scale: float | None = None,
    dropout: Array | None = None,
    value_embedding: Array | None = None,
    value_index: Array | None = None,
) -> tuple[Array, Cache]:
    """Attend with a position bias: out = (P ∘ D) v,
    P = softmax(scale · q kᵀ + table[index] + bias + mask).

    q: (B, H, Lq, d).
    k: (B, H, Lk, d).
    v: (B, H, Lk, dv).
    table, index: (R, H) and integers (Lq, Lk) in [0, R), the static bias; both or neither.
    bias: a dense bias with a gradient; broadcasts to (B, H, Lq, Lk).
    mask: is added too, but has no gradient; broadcasts to (B, H, Lq, Lk). With a first axis nW that
        divides B it is the mask of shifted windows: element b of the batch uses mask[b mod nW].
    scale: factor of q kᵀ, 1/√d unless given.
    dropout: D, a multiplier drawn beforehand, 0 or 1/(1−p), (B, H, Lq, Lk); 1 unless given.
    value_embedding, value_index: (H or 1, R, dv) and (Lq, Lk); each pair's row is added to its value, as
        in `value_lookup_forward`.
    Returns out (B, H, Lq, dv) and the cache for `attention_backward`.
    Raises ValueError/TypeError naming the argument that does not fit. Lk = 0 is an error.
    """
    given = checked_attention(
        q, k, v, table, index, bias, mask, scale, dropout, value_embedding, value_index
    )
    p, softmax = _softmax_of_scores(given)
    dropped = p if given.dropout is None else p * given.dropout
    out, lookup = dropped @ given.v, None
    if given.value_embedding is not None and given.value_index is not None:
        added, lookup = value_lookup_forward(dropped, given.value_embedding, given.value_index)
        out += added
    bias_shape = None if given.bias is None else given.bias.shape
    kept = given.q, given.k, given.v, given.table, given.index, given.scale, given.dropout
    return out, Cache(attention_forward, *kept, bias_shape, dropped, softmax, lookup)


def attention_backward(dout: Array, cache: Cache) -> AttentionGrads:
    """Return the gradients of `attention_forward`'s arguments:

    dv = (P ∘ D)ᵀ dout,  dP = (dout vᵀ) ∘ D,  dS = P ∘ (dP − Σ_j P dP)  (softmax),
    dq = scale · dS k,  dk = scale · dSᵀ q,
    dtable[r, h] = Σ over b, i, j with index[i, j] = r of dS[b, h, i, j],
    dbias = dS, summed over the axes along which bias was broadcast.
    A value embedding adds its part to dP before the product with D (`value_lookup_backward`).

    dout: (B, H, Lq, dv).
    cache: what `attention_forward` returned.
    """
    q, k, v, table, index, scale, dropout, bias_shape, dropped, softmax, lookup = recall(
        cache, attention_forward
    )
    dout = gradient("dout", dout, (*q.shape[:3], v.shape[-1]), q.dtype)
    dv = dropped.swapaxes(-1, -2) @ dout
    dp, dvalue_embedding = dout @ v.swapaxes(-1, -2), None
    if lookup is not None:
        added, dvalue_embedding = value_lookup_backward(dout, lookup)
        dp += added
    if dropout is not None:
        dp *= dropout
    dscores = softmax_backward(dp, softmax)
    dq = (dscores @ k) * scale
    dk = dscores.swapaxes(-1, -2) @ (q * scale)
    dtable = None if table is None else bias_backward(dscores.sum(0), index, len(table))
    dbias = None if bias_shape is None else sum_to_shape(dscores, bias_shape)
    return AttentionGrads(dq, dk, dv, dtable, dbias, dvalue_embedding)


def add_mask(scores: Array, mask: Array) -> Array:
    """Return scores + mask, where a mask of nW windows repeats along the batch (B a multiple of nW)."""
    batch, windows = len(scores), np.shape(mask)[0] if np.ndim(mask) == 4 else 1
    if windows in (1, batch):
        return scores + mask
    grouped = scores.reshape(batch // windows, windows, *scores.shape[1:])
    return (grouped + mask).reshape(scores.shape)


def sum_to_shape(x: Array, shape: tuple[int, ...]) -> Array:
    """Return the gradient of broadcasting `shape` to x.shape: x summed over the stretched axes."""
    x = x.sum(tuple(range(x.ndim - len(shape))))
    stretched = tuple(a for a, size in enumerate(shape) if size == 1 and x.shape[a] != 1)
    return x.sum(stretched, keepdims=True) if stretched else x


class Given(NamedTuple):
    """The arguments of `attention_forward`, checked: plain arrays, the scale as a float."""

    q: Array
    k: Array
    v: Array
    table: Array | None
    index: Array | None  # pyright: ignore[reportIncompatibleMethodOverride]  (tuple.index is not called)
    bias: Array | None
    mask: Array | None
    scale: float
    dropout: Array | None
    value_embedding: Array | None
    value_index: Array | None


def checked_attention(
    q: Array,
    k: Array,
    v: Array,
    table: Array | None = None,
    index: Array | None = None,
    bias: Array | None = None,
    mask: Array | None = None,
    scale: float | None = None,
    dropout: Array | None = None,
    value_embedding: Array | None = None,
    value_index: Array | None = None,
) -> Given:
    """Return the arguments, checked except for the indices' entries; raises ValueError/TypeError."""
    optional = {"table": table, "bias": bias, "mask": mask, "dropout": dropout}
    optional["value_embedding"] = value_embedding
    q, k, v, table, bias, mask, dropout, value_embedding = floating(optional, q=q, k=k, v=v)
    check_shape("q", q, (None, None, None, None))
    check_shape("k", k, (*q.shape[:2], None, q.shape[3]))
    target = batch, heads, q_len, k_len = (*q.shape[:3], k.shape[2])
    if not k_len:
        raise ValueError(f"k has shape {k.shape}: the softmax over no keys is undefined")
    check_shape("v", v, (batch, heads, k_len, None))
    check_together(table=table, index=index)
    if table is not None:
        check_shape("table", table, (None, heads))
        index = integers("index", index, q_len, k_len)
    check_broadcast("bias", bias, target)
    window = mask
    if mask is not None and mask.ndim == 4 and mask.shape[0] and batch % mask.shape[0] == 0:
        window = mask[:1]  # nW windows repeat along the batch
    check_broadcast("mask", window, target)
    if dropout is not None:
        check_shape("dropout", dropout, target)
    check_together(value_embedding=value_embedding, value_index=value_index)
    if value_embedding is not None:
        check_embedding("value_embedding", value_embedding, heads, v.shape[3])
        value_index = integers("value_index", value_index, q_len, k_len)
    scale = _scale(q, scale)
    return Given(q, k, v, table, index, bias, mask, scale, dropout, value_embedding, value_index)


def check_together(**pair: Array | None) -> None:
    """Check that both are given or neither is; raises ValueError."""
    if len({value is None for value in pair.values()}) > 1:
        raise ValueError(f"{' and '.join(pair)} belong together: got only one of them")


def check_broadcast(name: str, term: Array | None, target: tuple[int, ...]) -> None:
    """Check that the term, if there is one, broadcasts to the scores; raises ValueError."""
    if term is None:
        return
    tail = target[len(target) - term.ndim :]
    if term.ndim > 4 or any(s not in (1, t) for s, t in zip(term.shape, tail, strict=True)):
        raise ValueError(f"{name} has shape {term.shape}, which does not broadcast to {target}")


def _softmax_of_scores(given: Given) -> tuple[Array, Cache]:
    """Return P and the softmax's cache."""
    scores = (given.q * given.scale) @ given.k.swapaxes(-1, -2)  # (B, H, Lq, Lk)
    if given.table is not None and given.index is not None:
        scores += bias_forward(given.table, given.index)
    if given.bias is not None:
        scores += given.bias
    if given.mask is not None:
        scores = add_mask(scores, given.mask)
    return softmax_forward(scores)


def _scale(q: Array, scale: float | None) -> float:
    """Return the scale as a float, 1/√d for None."""
    if scale is not None:
        return as_number("scale", scale)
    if not q.shape[3]:
        raise ValueError(f"q has shape {q.shape}: without channels there is no scale 1/√d")
    return 1 / math.sqrt(q.shape[3])
