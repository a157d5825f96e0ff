"""Attention with relative position bias, eagerly or by PyTorch's fused kernel.

Sources: arXiv 1706.03762 §3.2.1; bias as in arXiv 2103.14030.
"""

import math
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import get_args

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from ..checks import as_number
from ..gate import check_shape, floating, integers
from ..types import Implementation
from .bias import bias as gather_bias
from .lookup import check_embedding, value_lookup

IMPLEMENTATIONS = get_args(Implementation)
_chosen: ContextVar[Implementation] = ContextVar("torch_impl.use_ops", default="eager")


@contextmanager
def use_ops(implementation: Implementation) -> Generator[None]:
    """Let `attention` use this implementation within the block: "eager" (the default) or "sdpa".

    The choice holds for this thread or asyncio task and the tasks that it starts; a new thread begins
    with the default. What torch.compile has compiled keeps the choice under which it was compiled.
    Raises ValueError for another name.
    """
    token = _chosen.set(_check(implementation))
    try:
        yield
    finally:
        _chosen.reset(token)


@torch.compiler.assume_constant_result  # Dynamo cannot look into a context variable
def _chosen_implementation() -> Implementation:
    return _chosen.get()


def attention_weights(
    q: Tensor,
    k: Tensor,
    table: Tensor | None = None,
    index: Tensor | None = None,
    bias: Tensor | None = None,
    mask: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    """Return the probabilities P = softmax(scale · q kᵀ + table[index] + bias + mask), (B, H, Lq, Lk).

    Arguments and errors as for `attention`.
    """
    index, _, scale = check_attention(q, k, k, table, index, bias, mask, scale)  # no values: k for them
    return _weights(q, k, table, index, bias, mask, scale)


def attention(
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
    implementation: Implementation | None = None,
) -> Tensor:
    """Attend with a position bias: out = (P ∘ D) v,
    P = softmax(scale · q kᵀ + table[index] + bias + mask).

    q: (B, H, Lq, d).
    k: (B, H, Lk, d).
    v: (B, H, Lk, dv).
    table, index: (R, H) and integers (Lq, Lk) in [0, R), the static bias; both or neither.
    bias: a dense bias; broadcasts to (B, H, Lq, Lk).
    mask: is added too; broadcasts to (B, H, Lq, Lk). With a first axis nW that divides B it is the mask
        of shifted windows: element b of the batch uses mask[b mod nW].
    scale: factor of q kᵀ, 1/√d unless given.
    dropout: D, a multiplier drawn beforehand, 0 or 1/(1−p), (B, H, Lq, Lk); 1 unless given.
    value_embedding, value_index: (H or 1, R, dv) and (Lq, Lk); each pair's row is added to its value, as
        in `value_lookup`.
    implementation: "eager", "sdpa", or None for the one that `use_ops` chose. Dropout and
        value_embedding need the probabilities, so with them attention is always eager.
    Returns out (B, H, Lq, dv). A row masked with nothing but −inf gives NaN (sdpa: 0).
    Raises ValueError/TypeError naming the argument that does not fit. Lk = 0 is an error.
    """
    implementation = _check(_chosen_implementation() if implementation is None else implementation)
    index, value_index, scale = check_attention(
        q, k, v, table, index, bias, mask, scale, dropout, value_embedding, value_index
    )
    if implementation == "sdpa" and dropout is None and value_embedding is None:
        term = _additive(q, k, table, index, bias, mask)
        return scaled_dot_product_attention(q, k, v, attn_mask=term, scale=scale)
    p = _weights(q, k, table, index, bias, mask, scale)
    p = p if dropout is None else p * dropout
    out = p @ v
    if value_embedding is None or value_index is None:
        return out
    return out + value_lookup(p, value_embedding, value_index)


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
) -> tuple[Tensor | None, Tensor | None, float]:
    """Return (index, value_index, scale), the indices as int64; raises ValueError/TypeError."""
    optional = {"table": table, "bias": bias, "mask": mask, "dropout": dropout}
    floating(optional | {"value_embedding": value_embedding}, q=q, k=k, v=v)
    check_shape("q", q, (None, None, None, None))
    check_shape("k", k, (*q.shape[:2], None, q.shape[3]))
    target = batch, heads, q_len, k_len = (*q.shape[:3], k.shape[2])
    if not k_len:
        raise ValueError(f"k has shape {tuple(k.shape)}: the softmax over no keys is undefined")
    check_shape("v", v, (batch, heads, k_len, None))
    _check_together(table=table, index=index)
    if table is not None:
        check_shape("table", table, (None, heads))
        index = integers("index", index, q_len, k_len)
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
    return index, value_index, _scale(q, scale)


def _weights(
    q: Tensor,
    k: Tensor,
    table: Tensor | None,
    index: Tensor | None,
    bias: Tensor | None,
    mask: Tensor | None,
    scale: float,
) -> Tensor:
    scores = torch.einsum("bhid,bhjd->bhij", q * scale, k)
    term = _additive(q, k, table, index, bias, mask)
    return torch.softmax(scores if term is None else scores + term, dim=-1)


def _additive(
    q: Tensor,
    k: Tensor,
    table: Tensor | None,
    index: Tensor | None,
    bias: Tensor | None,
    mask: Tensor | None,
) -> Tensor | None:
    """Return the sum of what is added to the scores, broadcastable to (B, H, Lq, Lk), or None."""
    terms = [] if table is None or index is None else [gather_bias(table, index)]
    terms += [] if bias is None else [bias]
    if mask is not None:
        windowed = mask.dim() == 4 and mask.shape[0] not in (1, q.shape[0])
        terms.append(mask.repeat(q.shape[0] // mask.shape[0], 1, 1, 1) if windowed else mask)
    if not terms:
        return None
    total = sum(terms[1:], start=terms[0])
    return total.expand(*q.shape[:3], k.shape[2])


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
    if len(shape) > 4 or any(s not in (1, t) for s, t in zip(shape, tail, strict=True)):
        raise ValueError(f"{name} has shape {shape}, which does not broadcast to {target}")


def _check(implementation: Implementation) -> Implementation:
    if implementation not in IMPLEMENTATIONS:
        raise ValueError(
            f"implementation is {implementation!r}, expected one of {', '.join(IMPLEMENTATIONS)}"
        )
    return implementation
