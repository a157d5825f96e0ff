"""Rectified linear unit."""

import numpy as np

from ..gate import Cache, floating, gradient, recall
from ..types import Array


def relu_forward(x: Array) -> tuple[Array, Cache]:
    """Return out = max(x, 0).

    x: any shape.
    Returns out, of x's shape, and the cache for `relu_backward`. Raises TypeError for a wrong dtype.
    """
    (x,) = floating(x=x)
    return np.maximum(x, 0), Cache(relu_forward, x)


def relu_backward(dout: Array, cache: Cache) -> Array:
    """Return dx = dout where x > 0, else 0; at x = 0 it is 0, as in PyTorch."""
    (x,) = recall(cache, relu_forward)
    dout = gradient("dout", dout, x.shape, x.dtype)
    return dout * (x > 0)
