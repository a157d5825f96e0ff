"""Residual and dropout in one pass; see `numpy_ref.ops.residual`."""

import numpy as np

from ..gate import Cache, gradient, recall
from ..ops.residual import ResidualGrads, checked_dropout, checked_residual
from .machine import threads
from .machine.arrays import addresses, contiguous
from .machine.buffers import empty
from .machine.jit import compiled
from .machine.simd import lanes, load_first, store_first, total
from .machine.threads import PIECE, next_piece, share


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
    pieces, like = rows * -(-width // PIECE), np.empty(0, out.dtype)
    threads.run(_add, pieces, like, *addresses(x, branch, multiplier, out), width, own)
    return out


@compiled
def _add(worker, words, helpers, *arguments):
    """out = x + multiplier · branch in rows of `width`, without x where its address is 0.

    multiplier: none at address 0, one for each element where `own`, else one for each row.
    """
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, like, x, branch, multiplier, out, width, own = arguments
    size = like.itemsize
    across = (width + PIECE - 1) // PIECE
    piece = next_piece(progress)
    while piece < pieces:
        row, first = piece // across, piece % across * PIECE
        start, end = row * width, min(first + PIECE, width)
        for j in range(first, end, lanes(like)):
            at, left = (start + j) * size, end - j
            value = load_first(like, branch + at, left)
            if multiplier and own:
                value = value * load_first(like, multiplier + at, left)
            elif multiplier:
                value = value * total(load_first(like, multiplier + row * size, 1))
            if x:
                value = value + load_first(like, x + at, left)
            store_first(out + at, value, left)
        piece = next_piece(progress)
