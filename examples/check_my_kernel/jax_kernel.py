"""Attention in JAX, differentiated by jax.vjp: `right`, and `wrong`, with the mask of another window."""

import jax
import jax.numpy as jnp


@jax.jit
def right(q, k, v, table=None, index=None, mask=None):
    """Return out; sample b of shifted windows has the mask of window b mod nW."""
    if mask is not None and mask.ndim == 4:
        mask = jnp.tile(mask, (len(q) // len(mask), 1, 1, 1))
    return attention(q, k, v, table, index, mask)


@jax.jit
def wrong(q, k, v, table=None, index=None, mask=None):
    """Return out; `repeat` gives neighbouring samples one window's mask."""
    if mask is not None and mask.ndim == 4:
        mask = jnp.repeat(mask, len(q) // len(mask), axis=0)
    return attention(q, k, v, table, index, mask)


def attention(q, k, v, table, index, mask):
    """Return out = softmax(q kᵀ / √d + table[index] + mask) v."""
    scores = jnp.matmul(q, k.swapaxes(-1, -2)) * q.shape[-1] ** -0.5
    if table is not None:
        scores += table[index].transpose(2, 0, 1)
    if mask is not None:
        scores += mask
    return jnp.matmul(jax.nn.softmax(scores, -1), v)
