"""Layer normalisation of a few rows at a time; keeps the mean and 1/√var instead of x̂."""

import numpy as np

from ..gate import Cache, gradient, recall
from ..ops.layer_norm import LayerNormGrads, checked_layer_norm
from . import _rows as loops
from . import _threads
from ._arrays import addresses, contiguous
from ._buffers import empty
from .linear import empty_sums


def layer_norm_forward(x, weight, bias, eps=1e-6):
    """out = x̂ · weight + bias; see `numpy_ref.ops.layer_norm_forward`."""
    x, weight, bias, eps = checked_layer_norm(x, weight, bias, eps)
    x, weight, bias = contiguous(x, weight, bias)
    width = x.shape[-1]
    out = empty(x.shape, x.dtype)
    mean, rstd = (np.empty(x.size // width, x.dtype) for _ in range(2))
    height, pieces = _cut(len(mean), width)
    _threads.run(
        loops.layer_norm_forward,
        pieces,
        mean,
        rstd,
        *addresses(x, weight, bias, out),
        width,
        eps,
        height,
    )
    return out, Cache(layer_norm_forward, x, mean, rstd, weight)


def layer_norm_backward(dout, cache, dresidual=None):
    """dx, dweight, dbias; see `numpy_ref.ops.layer_norm_backward`."""
    x, mean, rstd, weight = recall(cache, layer_norm_forward)
    dout = gradient("dout", dout, x.shape, x.dtype)
    if dresidual is not None:
        dresidual = gradient("dresidual", dresidual, x.shape, x.dtype)
    (dout, dresidual), width = contiguous(dout, dresidual), x.shape[-1]
    height, pieces = _cut(len(mean), width)
    dx, (sums, added_up) = empty(x.shape, x.dtype), empty_sums(pieces, 2 * width, x.dtype)
    _threads.run(
        loops.layer_norm_backward,
        pieces + 1,
        mean,
        rstd,
        *addresses(x, weight, dout, dresidual, dx),
        sums,
        added_up,
        width,
        height,
        scratch=(2 * loops.SHORT, x.dtype),
    )
    return LayerNormGrads(dx, added_up[:width], added_up[width:])


def _cut(rows, width):
    """(rows of a piece, pieces)"""
    height = max(1, loops.PIECE // width)
    return height, -(-rows // height)
