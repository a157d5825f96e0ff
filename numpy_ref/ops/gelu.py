"""GELU, the exact (erf) form (arXiv 1606.08415)."""

import math

import numpy as np

from ..gate import Cache, floating, gradient, recall
from ..types import Array

_erf = np.vectorize(math.erf, otypes=[np.float64])


def gelu_forward(x: Array) -> tuple[Array, Cache]:
    """Return out = x · Φ(x),  Φ(x) = ½ (1 + erf(x / √2)).

    x: any shape.
    Returns out, of x's shape, and the cache for `gelu_backward`. Raises TypeError for a wrong dtype.
    """
    (x,) = floating(x=x)
    cdf = (0.5 * (1 + _erf(x / math.sqrt(2)))).astype(x.dtype)
    return x * cdf, Cache(gelu_forward, x, cdf)


def gelu_backward(dout: Array, cache: Cache) -> Array:
    """Return dx = dout · (Φ(x) + x φ(x)),  φ(x) = exp(−x²/2) / √(2π)."""
    x, cdf = recall(cache, gelu_forward)
    dout = gradient("dout", dout, x.shape, x.dtype)
    return dout * (cdf + x * np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi))
