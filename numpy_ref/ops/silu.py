"""SiLU, also called swish (arXiv 1606.08415, 1702.03118)."""

from ..gate import Cache, floating, gradient, recall
from ..types import Array
from .sigmoid import sigmoid_forward


def silu_forward(x: Array) -> tuple[Array, Cache]:
    """Return out = x · σ(x).

    x: any shape.
    Returns out, of x's shape, and the cache for `silu_backward`. Raises TypeError for a wrong dtype.
    """
    (x,) = floating(x=x)
    sigmoid = sigmoid_forward(x)[0]
    return x * sigmoid, Cache(silu_forward, x, sigmoid)


def silu_backward(dout: Array, cache: Cache) -> Array:
    """Return dx = dout · (σ + x · σ (1 − σ))."""
    x, sigmoid = recall(cache, silu_forward)
    dout = gradient("dout", dout, x.shape, x.dtype)
    return dout * (sigmoid + x * sigmoid * (1 - sigmoid))
