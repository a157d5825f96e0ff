"""Linear layer on all cores, its products in registers; the formulas are the definition's."""

import math

import numpy as np

from ..gate import Cache, gradient, recall
from ..ops.linear import LinearGrads, checked_linear
from . import _linear as loops
from . import _threads
from ._arrays import addresses, contiguous
from ._buffers import empty
from ._product import padded, panels_of, product_for

GROUPS, GROUP_ROWS = 16, 256  # at most so many groups of rows in backward, of at least so many rows


def linear_forward(x, weight, bias=None, residual=None):
    """out = residual + x @ weightᵀ + bias; see `numpy_ref.ops.linear_forward`."""
    given = checked_linear(x, weight, bias, residual)
    x, weight, bias, residual = contiguous(*given)
    columns, depth = weight.shape
    out = empty((*x.shape[:-1], columns), x.dtype)
    rows, panels = math.prod(x.shape[:-1]), panels_of(columns, x.dtype)
    _threads.run(
        loops.forward,
        panels + tiles_of(rows),
        panels,
        product_for(x.dtype),
        *addresses(x, weight),
        empty((depth * padded(columns, x.dtype),), x.dtype),
        *addresses(bias, residual, out),
        (rows, columns, depth),
    )
    return out, Cache(linear_forward, x, weight, bias is not None, residual is not None)


def linear_backward(dout, cache):
    """dx, dweight, dbias, dresidual; see `numpy_ref.ops.linear_backward`."""
    x, weight, has_bias, has_residual = recall(cache, linear_forward)
    (dout,) = contiguous(gradient("dout", dout, (*x.shape[:-1], len(weight)), x.dtype))
    depth, columns = weight.shape
    rows, panels = math.prod(x.shape[:-1]), panels_of(columns, x.dtype)
    groups, dx = groups_of(rows), empty(x.shape, x.dtype)
    dweights, dweight, sums = empty_groups(groups, (depth, columns), x.dtype)
    dbiases, dbias = empty_sums(groups, depth if has_bias else 0, x.dtype)
    _threads.run(
        loops.backward,
        panels + groups + sums,
        panels,
        product_for(x.dtype),
        groups,
        *addresses(dout, x, weight),
        empty((depth * padded(columns, x.dtype),), x.dtype),
        *addresses(dx, dweights, dweight),
        dbiases,
        dbias,
        (rows, columns, depth),
        scratch=(loops.CHUNK * padded(columns, x.dtype), x.dtype),
    )
    dbias, dresidual = dbias if has_bias else None, dout if has_residual else None
    return LinearGrads(dx, dweight, dbias, dresidual)


def tiles_of(rows):
    """Into how many pieces rows are cut."""
    return -(-rows // loops.TILE)


def groups_of(rows):
    """Into how many groups rows are cut whose sums are made side by side."""
    return min(GROUPS, max(1, rows // GROUP_ROWS)) if rows else 0


def empty_groups(groups, shape, dtype):
    """An array for each group, one for what they add up to, and in how many pieces they are added."""
    total = empty(shape, dtype)
    return empty((groups, *shape), dtype), total, max(1, -(-total.size // loops.GROUP_PIECE))


def empty_sums(groups, size, dtype):
    """Zeros in float64 for each group, and an array for what they add up to."""
    return np.zeros((groups, size)), np.empty(size, dtype)
