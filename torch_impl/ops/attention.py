"""Attention with relative position bias, eagerly or by PyTorch's fused kernel.

Sources: arXiv 1706.03762 §3.2.1; bias as in arXiv 2103.14030.
"""

import math
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch.nn.functional import scaled_dot_product_attention

from .bias import bias as gather_bias
from .lookup import value_lookup

IMPLEMENTATIONS = ("eager", "sdpa")
_chosen = ContextVar("torch_impl.use_ops", default="eager")


@contextmanager
def use_ops(implementation):
    """Within the block `attention` uses this implementation: "eager" (the default) or "sdpa".

    The choice holds for this thread or asyncio task and the tasks it starts; a new thread begins with
    the default. Raises ValueError for another name.
    """
    token = _chosen.set(_check(implementation))
    try:
        yield
    finally:
        _chosen.reset(token)


def attention_weights(q, k, table=None, index=None, bias=None, mask=None, scale=None):
    """P = softmax(scale · q kᵀ + table[index] + bias + mask), shape (B, H, Lq, Lk)."""
    scale = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    scores = torch.einsum("bhid,bhjd->bhij", q * scale, k)
    term = _additive(q, k, table, index, bias, mask)
    return torch.softmax(scores if term is None else scores + term, dim=-1)


def attention(
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
    implementation=None,
):
    """out = (P · dropout) v,  P = softmax(scale · q kᵀ + table[index] + bias + mask).

    q (B, H, Lq, d), k (B, H, Lk, d), v (B, H, Lk, dv) -> (B, H, Lq, dv). table (R, H) with index
    (Lq, Lk); bias broadcasts to (B, H, Lq, Lk); mask likewise, or (nW, 1, Lq, Lk) with B a multiple of
    nW (window b uses mask[b mod nW]). scale: 1/√d unless given. dropout: a drawn multiplier.
    value_embedding (H or 1, R, dv) with value_index (Lq, Lk) adds its row to each pair's value.
    implementation: "eager", "sdpa" (dropout and value_embedding need the probabilities, so they are
    always eager) or None for the one that `use_ops` chose.
    A row masked with nothing but −inf gives NaN (sdpa: 0).
    Raises ValueError/TypeError naming the argument that does not fit.
    """
    implementation = _check(_chosen.get() if implementation is None else implementation)
    if (value_embedding is None) != (value_index is None):
        raise ValueError("value_embedding and value_index belong together: got only one of them")
    if implementation == "sdpa" and dropout is None and value_embedding is None:
        term = _additive(q, k, table, index, bias, mask)
        return scaled_dot_product_attention(q, k, v, attn_mask=term, scale=scale)
    p = attention_weights(q, k, table, index, bias, mask, scale)
    p = p if dropout is None else p * dropout
    out = p @ v
    return out if value_embedding is None else out + value_lookup(p, value_embedding, value_index)


def _additive(q, k, table, index, bias, mask):
    """Everything that is added to the scores, broadcastable to (B, H, Lq, Lk), or None."""
    check_terms(q, k, table=table, bias=bias, mask=mask)
    if (table is None) != (index is None):
        raise ValueError("table and index belong together: got only one of them")
    if table is not None and tuple(index.shape) != (q.shape[2], k.shape[2]):
        raise ValueError(f"index has shape {tuple(index.shape)}, expected ({q.shape[2]}, {k.shape[2]})")
    terms = [] if table is None else [gather_bias(table, index)]
    terms += [] if bias is None else [bias]
    if mask is not None:
        windowed = mask.dim() == 4 and mask.shape[0] not in (1, q.shape[0])
        terms.append(mask.repeat(q.shape[0] // mask.shape[0], 1, 1, 1) if windowed else mask)
    if not terms:
        return None
    total = sum(terms[1:], start=terms[0])
    return total.expand(*q.shape[:3], k.shape[2])


def check_terms(q, k, **terms):
    """Floating, and broadcastable to the scores (or a mask of windows); TypeError/ValueError."""
    target = (*q.shape[:3], k.shape[2])
    for name, term in terms.items():
        if term is None:
            continue
        if not term.is_floating_point():
            raise TypeError(f"{name} has dtype {term.dtype}, expected a floating dtype (it is added)")
        shape = tuple(term.shape)
        if name == "mask" and term.dim() == 4 and shape[0] and target[0] % shape[0] == 0:
            shape = (1, *shape[1:])  # nW windows, repeated along the batch
        fits = len(shape) <= 4 and all(
            s in (1, t) for s, t in zip(shape[::-1], target[::-1], strict=False)
        )
        if name != "table" and not fits:
            raise ValueError(
                f"{name} has shape {tuple(term.shape)}, which does not broadcast to {target}"
            )


def _check(implementation):
    if implementation not in IMPLEMENTATIONS:
        raise ValueError(
            f"implementation is {implementation!r}, expected one of {', '.join(IMPLEMENTATIONS)}"
        )
    return implementation
