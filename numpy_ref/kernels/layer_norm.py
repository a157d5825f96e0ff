"""Layer normalisation of a few rows at a time; keeps the mean and 1/√var instead of x̂."""

import numpy as np

from ..checks import check_floating, check_shape
from ..ops.layer_norm import LayerNormGrads
from . import _rows as loops
from . import _threads
from ._arrays import addresses, contiguous
from ._buffers import empty
from .linear import empty_sums


def layer_norm_forward(x, weight, bias, eps=1e-6):
    """out = x̂ · weight + bias; see `numpy_ref.ops.layer_norm_forward`."""
    check_floating(x=x, weight=weight, bias=bias)
    check_shape("weight", weight, x.shape[-1:])
    check_shape("bias", bias, x.shape[-1:])
    x, weight, bias = contiguous(x, weight, bias)
    width = x.shape[-1]
    out = empty(x.shape, x.dtype)
    mean, rstd = (np.empty(x.size // max(width, 1), x.dtype) for _ in range(2))
    height, pieces = _cut(len(mean), width)
    _threads.run(
        loops.layer_norm_forward,
        pieces,
        mean,
        rstd,
        *addresses(x, weight, bias, out),
        width,
        float(eps),
        height,
    )
    return out, (x, mean, rstd, weight)


def layer_norm_backward(dout, cache, dresidual=None):
    """dx, dweight, dbias; see `numpy_ref.ops.layer_norm_backward`."""
    x, mean, rstd, weight = cache
    check_shape("dout", dout, x.shape)
    if dresidual is not None:
        check_floating(dout=dout, dresidual=dresidual)
        check_shape("dresidual", dresidual, x.shape)
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
    height = max(1, loops.PIECE // max(width, 1))
    return height, -(-rows // height)
