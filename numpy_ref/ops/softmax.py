"""Softmax over the last axis."""

import numpy as np

from ..gate import Cache, floating, gradient, last_axis, recall
from ..types import Array


def softmax_forward(x: Array) -> tuple[Array, Cache]:
    """Return p_j = exp(x_j − max x) / Σ_k exp(x_k − max x).

    x: (..., N). An entry of −inf gets probability 0; a row of nothing but −inf gives NaN.
    Returns p (..., N) and the cache for `softmax_backward`.
    Raises TypeError/ValueError for a wrong dtype or N = 0.
    """
    (x,) = floating(x=x)
    if not last_axis("x", x):
        raise ValueError(f"x has shape {x.shape}: the softmax of nothing is undefined")
    p = x - x.max(-1, keepdims=True)
    np.exp(p, out=p)
    p /= p.sum(-1, keepdims=True)
    return p, Cache(softmax_forward, p)


def softmax_backward(dout: Array, cache: Cache) -> Array:
    """Return dx = p · (dout − Σ_k p_k dout_k)."""
    (p,) = recall(cache, softmax_forward)
    dout = gradient("dout", dout, p.shape, p.dtype)
    return p * (dout - (p * dout).sum(-1, keepdims=True))
