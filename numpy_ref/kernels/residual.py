"""Residual and dropout in one pass; see `numpy_ref.ops.residual`."""

import numpy as np

from ..checks import check_floating, check_shape
from ..ops.residual import ResidualGrads, check_multiplier
from . import _rows as loops
from . import _threads
from ._arrays import addresses, contiguous
from ._buffers import empty


def residual_forward(x, branch, multiplier=None):
    """out = x + multiplier · branch; see `numpy_ref.ops.residual_forward`."""
    check_floating(x=x, branch=branch, multiplier=multiplier)
    check_shape("branch", branch, x.shape)
    return _pass(x, branch, multiplier), multiplier


def residual_backward(dout, cache):
    """dx = dout,  dbranch = multiplier · dout; see `numpy_ref.ops.residual_backward`."""
    return ResidualGrads(dout, dout if cache is None else _pass(None, dout, cache))


def dropout_forward(x, multiplier):
    """out = multiplier · x; see `numpy_ref.ops.dropout_forward`."""
    check_floating(x=x, multiplier=multiplier)
    return _pass(None, x, multiplier), multiplier


def dropout_backward(dout, cache):
    """dx = multiplier · dout."""
    return _pass(None, dout, cache)


def _pass(x, branch, multiplier):
    own = check_multiplier(multiplier, branch.shape)
    x, branch, multiplier = contiguous(x, branch, multiplier)
    out = empty(branch.shape, branch.dtype)
    rows = len(branch) if multiplier is not None and not own else 1
    width = branch.size // max(rows, 1)
    pieces, like = rows * -(-width // loops.PIECE), np.empty(0, out.dtype)
    _threads.run(loops.residual, pieces, like, *addresses(x, branch, multiplier, out), width, own)
    return out
