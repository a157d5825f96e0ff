"""Attention with relative position bias in JAX: rpb-check mykernel.py:attention"""

import jax
import jax.numpy as jnp


@jax.jit
def attention(q, k, v, table=None, index=None, mask=None, scale=None):
    """Return out; jax.vjp gives the gradients. Put your kernel here."""
    scale = q.shape[-1] ** -0.5 if scale is None else jnp.asarray(scale, q.dtype)
    scores = scale * jnp.matmul(q, k.swapaxes(-1, -2))
    if table is not None:
        scores = scores + table[index].transpose(2, 0, 1)  # (Lq, Lk, H) -> (H, Lq, Lk)
    if mask is not None:  # a mask of 4 axes is per window: sample b uses mask[b mod nW]
        scores = scores + (mask[jnp.arange(len(q)) % len(mask)] if mask.ndim == 4 else mask)
    return jnp.matmul(jax.nn.softmax(scores, -1), v)
