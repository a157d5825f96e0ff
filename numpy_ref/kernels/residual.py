"""Residual and dropout in one pass; see `numpy_ref.ops.residual`."""

import numpy as np

from ..gate import Cache, gradient, recall
from ..ops.residual import ResidualGrads, checked_dropout, checked_residual
from . import _rows as loops
from . import _threads
from ._arrays import addresses, contiguous
from ._buffers import empty


def residual_forward(x, branch, multiplier=None):
    """out = x + multiplier · branch; see `numpy_ref.ops.residual_forward`."""
    x, branch, multiplier = checked_residual(x, branch, multiplier)
    out = _pass(x, branch, multiplier)
    return out, Cache(residual_forward, multiplier, out.shape, out.dtype)


def residual_backward(dout, cache):
    """dx = dout,  dbranch = multiplier · dout; see `numpy_ref.ops.residual_backward`."""
    multiplier, shape, dtype = recall(cache, residual_forward)
    dout = gradient("dout", dout, shape, dtype)
    return ResidualGrads(dout, dout if multiplier is None else _pass(None, dout, multiplier))


def dropout_forward(x, multiplier):
    """out = multiplier · x; see `numpy_ref.ops.dropout_forward`."""
    x, multiplier = checked_dropout(x, multiplier)
    return _pass(None, x, multiplier), Cache(dropout_forward, multiplier, x.shape)


def dropout_backward(dout, cache):
    """dx = multiplier · dout."""
    multiplier, shape = recall(cache, dropout_forward)
    return _pass(None, gradient("dout", dout, shape, multiplier.dtype), multiplier)


def _pass(x, branch, multiplier):
    own = multiplier is None or multiplier.shape == branch.shape
    x, branch, multiplier = contiguous(x, branch, multiplier)
    out = empty(branch.shape, branch.dtype)
    rows = 1 if own else len(branch)
    width = branch.size // max(rows, 1)
    pieces, like = rows * -(-width // loops.PIECE), np.empty(0, out.dtype)
    _threads.run(loops.residual, pieces, like, *addresses(x, branch, multiplier, out), width, own)
    return out
