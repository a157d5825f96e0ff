"""Logistic sigmoid."""

import numpy as np

from ..gate import Cache, floating, gradient, recall
from ..types import Array


def sigmoid_forward(x: Array) -> tuple[Array, Cache]:
    """Return out = 1 / (1 + exp(−x)), in a form in which exp does not overflow.

    x: any shape.
    Returns out, of x's shape, and the cache for `sigmoid_backward`. Raises TypeError for a wrong dtype.
    """
    (x,) = floating(x=x)
    small = np.exp(-np.abs(x))
    out = np.where(x >= 0, 1 / (1 + small), small / (1 + small))
    return out, Cache(sigmoid_forward, out)


def sigmoid_backward(dout: Array, cache: Cache) -> Array:
    """Return dx = dout · out · (1 − out)."""
    (out,) = recall(cache, sigmoid_forward)
    dout = gradient("dout", dout, out.shape, out.dtype)
    return dout * out * (1 - out)
