"""Rectified linear unit."""

import numpy as np

from ..gate import Cache, floating, gradient, recall
from ..types import Array


def relu_forward(x: Array) -> tuple[Array, Cache]:
    """out = max(x, 0), any shape."""
    (x,) = floating(x=x)
    return np.maximum(x, 0), Cache(relu_forward, x)


def relu_backward(dout: Array, cache: Cache) -> Array:
    """dx = dout where x > 0, else 0 (0 at x = 0, as in PyTorch)."""
    (x,) = recall(cache, relu_forward)
    dout = gradient("dout", dout, x.shape, x.dtype)
    return dout * (x > 0)
