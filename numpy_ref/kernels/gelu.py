"""Exact GELU in one pass; keeps x alone and computes Φ and φ again in backward."""

import numpy as np

from ..gate import Cache, floating, gradient, recall
from . import _rows as loops
from . import _threads
from ._arrays import addresses, contiguous
from ._buffers import empty


def gelu_forward(x):
    """out = x · Φ(x); see `numpy_ref.ops.gelu_forward`."""
    (x,) = contiguous(*floating(x=x))
    out = empty(x.shape, x.dtype)
    _over(loops.gelu_forward, x, out)
    return out, Cache(gelu_forward, x)


def gelu_backward(dout, cache):
    """dx = dout · (Φ(x) + x φ(x)); see `numpy_ref.ops.gelu_backward`."""
    (x,) = recall(cache, gelu_forward)
    (dout,) = contiguous(gradient("dout", dout, x.shape, x.dtype))
    dx = empty(x.shape, x.dtype)
    _over(loops.gelu_backward, x, dout, dx)
    return dx


def _over(loop, x, *others):
    like = np.empty(0, x.dtype)
    _threads.run(loop, -(-x.size // loops.PIECE), like, *addresses(x, *others), x.size)
