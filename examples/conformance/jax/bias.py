"""The bias of every pair of tokens: static, or a vector that meets the query or the probability."""

import math

import jax.numpy as jnp


def widened(x):
    """Return x in float32 if it is in half precision, so that sums are in float32.

    The backward of this conversion rounds a gradient once, after it was summed.
    """
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def bias(table, index):
    """Look each pair's row up: table (R, H), index (Lq, Lk) -> (H, Lq, Lk)."""
    return widened(table).T[:, index].astype(table.dtype)


def score_lookup(q, embedding, index):
    """Multiply each query with its pairs' vectors.

    q: (B, H, Lq, d).
    embedding: (H, R, d), or (1, R, d) for all heads.
    index: (Lq, Lk).
    Returns (B, H, Lq, Lk).
    """
    vectors = widened(embedding)[:, index]  # (H or 1, Lq, Lk, d)
    return (widened(q)[:, :, :, None] * vectors).sum(axis=4).astype(q.dtype)


def value_lookup(p, embedding, index):
    """Sum the pairs' vectors with their probabilities p (B, H, Lq, Lk) -> (B, H, Lq, d)."""
    vectors = widened(embedding)[:, index]  # (H or 1, Lq, Lk, d)
    return (widened(p)[..., None] * vectors).sum(axis=3).astype(p.dtype)


def cosine(q, k, logit_scale):
    """Return τ q/‖q‖ and k/‖k‖, τ = exp(min(logit_scale, ln 100)); logit_scale (H, 1, 1)."""
    limit = math.log(100)
    logit_scale = widened(logit_scale)
    # Not jnp.minimum: at the limit itself it would give half of the gradient.
    tau = jnp.exp(jnp.where(logit_scale > limit, limit, logit_scale))
    return (tau * unit(widened(q))).astype(q.dtype), unit(widened(k)).astype(k.dtype)


def unit(u, smallest=1e-12):
    """Return u / max(‖u‖, 1e-12) along the channels."""
    square = (u * u).sum(axis=-1, keepdims=True)
    long = square > smallest**2
    # The inner where: the derivative of √0 is ∞, and 0 · ∞ is NaN also in a branch not taken.
    return u / jnp.where(long, jnp.sqrt(jnp.where(long, square, 1)), smallest)
