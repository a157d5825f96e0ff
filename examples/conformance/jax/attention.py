"""Attention with a static bias; its gradients come from jax.vjp."""

import math

import jax.numpy as jnp
from bias import bias, widened
from jax.lax import stop_gradient


def attention(q, k, v, table=None, index=None, mask=None, scale=None):
    """Compute softmax(scale · q kᵀ + bias + mask) v.

    q: (B, H, Lq, d), queries.
    k: (B, H, Lk, d), keys.
    v: (B, H, Lk, dv), values.
    table: (R, H), the bias; None together with index.
    index: (Lq, Lk), integers in 0 … R − 1. JAX does not check them.
    mask: added; broadcasts to (B, H, Lq, Lk), or (nW, 1, Lq, Lk): batch b uses mask[b mod nW].
    scale: factor of q·k; None for 1/√d.
    """
    dtype = q.dtype
    q, k, v = widened(q), widened(k), widened(v)
    scale = 1 / math.sqrt(q.shape[3]) if scale is None else scale
    scores = scale * (q @ k.swapaxes(2, 3))  # (B, H, Lq, Lk)
    if table is not None:
        scores += bias(widened(table), index)
    if mask is not None:
        mask = widened(mask)
        repeats = len(q) // len(mask) if mask.ndim == 4 else 1
        scores += jnp.tile(mask, (repeats, 1, 1, 1))
    # The maximum cancels in the quotient, so it needs no gradient.
    e = jnp.exp(scores - stop_gradient(scores.max(axis=3, keepdims=True)))
    out = (e / e.sum(axis=3, keepdims=True)) @ v
    return out.astype(dtype)
