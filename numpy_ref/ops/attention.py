"""Attention with relative position bias (arXiv 1706.03762 §3.2.1; bias as in arXiv 2103.14030)."""

import math
from typing import NamedTuple

import numpy as np

from ..checks import check_floating, check_shape
from .bias import bias_backward, bias_forward
from .lookup import value_lookup_backward, value_lookup_forward
from .softmax import softmax_backward, softmax_forward


class AttentionGrads(NamedTuple):
    dq: np.ndarray
    dk: np.ndarray
    dv: np.ndarray
    dtable: np.ndarray | None
    dbias: np.ndarray | None
    dvalue_embedding: np.ndarray | None = None


def attention_weights(q, k, table=None, index=None, bias=None, mask=None, scale=None):
    """P = softmax(scale · q kᵀ + table[index] + bias + mask), shape (B, H, Lq, Lk).

    Arguments as in `attention_forward`.
    """
    check_attention(q, k, table, index, bias, mask)
    scores = (q * _scale(q, scale)) @ k.swapaxes(-1, -2)  # (B, H, Lq, Lk)
    if table is not None:
        scores += bias_forward(table, index)
    if bias is not None:
        scores += bias
    if mask is not None:
        scores = add_mask(scores, mask)
    return softmax_forward(scores)[0]


def attention_forward(
    q,
    k,
    v,
    table=None,
    index=None,
    bias=None,
    mask=None,
    scale=None,
    dropout=None,
    value_embedding=None,
    value_index=None,
):
    """out = (P · dropout) v,  P = softmax(scale · q kᵀ + table[index] + bias + mask).

    q (B, H, Lq, d), k (B, H, Lk, d), v (B, H, Lk, dv) -> out (B, H, Lq, dv), cache.
    table (R, H) with index (Lq, Lk): the static bias. bias: dense, with a gradient, broadcasts to
    (B, H, Lq, Lk). mask: additive, no gradient, broadcasts likewise; a first axis nW that divides B
    is a shifted-window mask (window b of the batch uses mask[b mod nW]). scale: 1/√d unless given.
    dropout: the multiplier drawn beforehand, 0 or 1/(1−p), shape (B, H, Lq, Lk). value_embedding
    (H or 1, R, dv) with value_index (Lq, Lk) adds its row to each pair's value (`value_lookup`).
    Raises ValueError/TypeError naming the argument that does not fit.
    """
    p = attention_weights(q, k, table, index, bias, mask, scale)
    check_shape("v", v, (*k.shape[:3], None))
    check_floating(q=q, v=v, dropout=dropout)
    if dropout is not None:
        check_shape("dropout", dropout, p.shape)
    dropped = p if dropout is None else p * dropout
    out, lookup = dropped @ v, None
    if (value_embedding is None) != (value_index is None):
        raise ValueError("value_embedding and value_index belong together: got only one of them")
    if value_embedding is not None:
        check_shape("value_embedding", value_embedding, (None, None, v.shape[-1]))
        added, lookup = value_lookup_forward(dropped, value_embedding, value_index)
        out += added
    return out, (q, k, v, p, dropped, table, index, bias, scale, dropout, lookup)


def attention_backward(dout, cache):
    """Gradients through out = (P ∘ D) v with D the dropout multiplier:

    dv = (P ∘ D)ᵀ dout,  dP = (dout vᵀ) ∘ D,  dS = P ∘ (dP − Σ_j P dP)  (softmax)
    dq = scale · dS k,  dk = scale · dSᵀ q
    dtable[r, h] = Σ over b, i, j with index[i, j] = r of dS[b, h, i, j]
    dbias = dS summed over the axes along which bias was broadcast
    A value embedding adds its part to dP ∘ D (`value_lookup_backward`).
    dout (B, H, Lq, dv) -> AttentionGrads; None for what was not given.
    """
    q, k, v, p, dropped, table, index, bias, scale, dropout, lookup = cache
    check_shape("dout", dout, (*q.shape[:3], v.shape[-1]))
    dv = dropped.swapaxes(-1, -2) @ dout
    dp, dvalue_embedding = dout @ v.swapaxes(-1, -2), None
    if lookup is not None:
        added, dvalue_embedding = value_lookup_backward(dout, lookup)
        dp += added
    if dropout is not None:
        dp *= dropout
    dscores = softmax_backward(dp, p)
    factor = _scale(q, scale)
    dq = (dscores @ k) * factor
    dk = dscores.swapaxes(-1, -2) @ (q * factor)
    dtable = None if table is None else bias_backward(dscores.sum(0), index, len(table))
    dbias = None if bias is None else sum_to_shape(dscores, bias.shape)
    return AttentionGrads(dq, dk, dv, dtable, dbias, dvalue_embedding)


def add_mask(scores, mask):
    """scores + mask, where a mask of nW windows repeats along the batch (B a multiple of nW)."""
    batch, windows = len(scores), np.shape(mask)[0] if np.ndim(mask) == 4 else 1
    if windows in (1, batch):
        return scores + mask
    grouped = scores.reshape(batch // windows, windows, *scores.shape[1:])
    return (grouped + mask).reshape(scores.shape)


def sum_to_shape(x, shape):
    """The gradient of broadcasting `shape` to x.shape: sum over the axes that were stretched."""
    x = x.sum(tuple(range(x.ndim - len(shape))))
    stretched = tuple(a for a, size in enumerate(shape) if size == 1 and x.shape[a] != 1)
    return x.sum(stretched, keepdims=True) if stretched else x


def check_attention(q, k, table, index, bias, mask):
    """Shapes and dtypes of everything that makes the scores; raises ValueError/TypeError."""
    check_floating(q=q, k=k, table=table, bias=bias, mask=mask)
    check_shape("q", q, (None, None, None, None))
    batch, heads, q_len, dim = q.shape
    check_shape("k", k, (batch, heads, None, dim))
    if (table is None) != (index is None):
        raise ValueError("table and index belong together: got only one of them")
    if table is not None:
        check_shape("table", table, (None, heads))
        check_shape("index", index, (q_len, k.shape[2]))
    _check_broadcast("bias", bias, (batch, heads, q_len, k.shape[2]))
    if mask is not None and mask.ndim == 4 and mask.shape[0] and batch % mask.shape[0] == 0:
        mask = mask[:1]  # nW windows, repeated along the batch
    _check_broadcast("mask", mask, (batch, heads, q_len, k.shape[2]))


def _check_broadcast(name, term, target):
    if term is None:
        return
    tail = target[len(target) - term.ndim :]
    if term.ndim > 4 or any(s not in (1, t) for s, t in zip(term.shape, tail, strict=True)):
        raise ValueError(f"{name} has shape {term.shape}, which does not broadcast to {target}")


def _scale(q, scale):
    return 1 / math.sqrt(q.shape[-1]) if scale is None else float(scale)
