"""Residual and dropout in one pass; see `numpy_ref.ops.residual`."""

import numpy as np

from ..gate import Cache, gradient, recall
from ..ops.residual import ResidualGrads, checked_dropout, checked_residual
from .machine import threads
from .machine.arrays import addresses, contiguous
from .machine.buffers import empty
from .machine.jit import compiled
from .machine.simd import lanes, load_first, store_first, total
from .machine.threads import PIECE, share, taken


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
    """x + multiplier · branch, with x and multiplier None where there is none."""
    per_element = multiplier is None or multiplier.shape == branch.shape
    x, branch, multiplier = contiguous(x, branch, multiplier)
    out = empty(branch.shape, branch.dtype)
    rows = 1 if per_element else len(branch)
    width = branch.size // max(rows, 1)
    like = np.empty(0, out.dtype)
    # Long rows are cut into pieces; of short ones a piece has several.
    height, across = max(1, PIECE // max(width, 1)), -(-width // PIECE)
    pieces = -(-rows // height) * across
    cut, arrays = (rows, width, height, across), addresses(x, branch, multiplier, out)
    threads.run(_add, pieces, like, *arrays, per_element, cut)
    return out


@compiled
def _add(worker, words, helpers, *arguments):
    """out = x + multiplier · branch, each (rows, width); x and multiplier may be at address 0: none.

    multiplier: a number for each element if `per_element`, else for each row.
    """
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, like, x, branch, multiplier, out, per_element, cut = arguments
    rows, width, height, across = cut
    size = like.itemsize
    for piece in taken(progress, pieces):
        first, start = piece // across * height, piece % across * PIECE
        for i in range(first, min(first + height, rows)):
            end = min(start + PIECE, width)
            for j in range(start, end, lanes(like)):
                offset, left = (i * width + j) * size, end - j
                value = load_first(like, branch + offset, left)
                if multiplier and per_element:
                    value = value * load_first(like, multiplier + offset, left)
                elif multiplier:
                    value = value * total(load_first(like, multiplier + i * size, 1))
                if x:
                    value = value + load_first(like, x + offset, left)
                store_first(out + offset, value, left)
