"""Exact GELU in one pass; keeps only x and computes Φ and φ again in backward."""

import numpy as np

from ..gate import Cache, floating, gradient, recall
from .machine import threads
from .machine.arrays import addresses, contiguous
from .machine.buffers import empty
from .machine.exp import erf, exp
from .machine.jit import compiled, inner
from .machine.simd import fma, lanes, load_first, store_first
from .machine.threads import PIECE, share, taken

ROOT_HALF, DENSITY = 0.7071067811865476, 0.3989422804014327  # 1 / √2, 1 / √(2π)


def gelu_forward(x):
    """out = x · Φ(x); see `numpy_ref.ops.gelu_forward`."""
    (x,) = contiguous(*floating(x=x))
    out = empty(x.shape, x.dtype)
    _over(_forward, x, out)
    return out, Cache(gelu_forward, x)


def gelu_backward(dout, cache):
    """dx = dout · (Φ(x) + x φ(x)); see `numpy_ref.ops.gelu_backward`."""
    (x,) = recall(cache, gelu_forward)
    (dout,) = contiguous(gradient("dout", dout, x.shape, x.dtype))
    dx = empty(x.shape, x.dtype)
    _over(_backward, x, dout, dx)
    return dx


def _over(loop, x, *others):
    like = np.empty(0, x.dtype)
    threads.run(loop, -(-x.size // PIECE), like, *addresses(x, *others), x.size)


@compiled
def _forward(worker, words, helpers, *arguments):
    """out = x Φ(x)"""
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, like, x, out, elements = arguments
    size = like.itemsize
    for piece in taken(progress, pieces):
        first = piece * PIECE
        gelu(like, x + first * size, out + first * size, min(PIECE, elements - first))


@compiled
def _backward(worker, words, helpers, *arguments):
    """dx = dout (Φ(x) + x φ(x)); Φ and φ are computed again, which is cheaper than to keep them."""
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, like, x, dout, dx, elements = arguments
    size = like.itemsize
    for piece in taken(progress, pieces):
        end = min(piece * PIECE + PIECE, elements)
        for j in range(piece * PIECE, end, lanes(like)):
            value = load_first(like, x + j * size, end - j)
            change = load_first(like, dout + j * size, end - j) * slope(value, cdf(value))
            store_first(dx + j * size, change, end - j)


@inner
def gelu(like, x, out, elements):
    """out = x Φ(x); like: an array of the dtype, x and out: addresses."""
    for j in range(0, elements, lanes(like)):
        value = load_first(like, x + j * like.itemsize, elements - j)
        store_first(out + j * like.itemsize, value * cdf(value), elements - j)


@inner
def cdf(x):
    """Φ(x) = ½ (1 + erf(x / √2))"""
    return fma(erf(x * ROOT_HALF), 0.5, 0.5)


@inner
def slope(x, phi):
    """GELU′(x) = Φ(x) + x φ(x), with φ = exp(−x²/2) / √(2π) and Φ(x) given."""
    return fma(x, exp(x * x * -0.5) * DENSITY, phi)
