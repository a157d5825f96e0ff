"""The linear layer on all threads, its products in registers."""

import math

from ..gate import Cache, gradient, recall
from ..ops.linear import LinearGrads, checked_linear
from . import linear_loops as loops
from .machine import threads
from .machine.arrays import addresses, contiguous
from .machine.buffers import empty
from .machine.product import padded, panels_of, product_for
from .sums import empty_groups, empty_sums, groups_of


def linear_forward(x, weight, bias=None, residual=None):
    """out = residual + x @ weightᵀ + bias; see `numpy_ref.ops.linear_forward`."""
    given = checked_linear(x, weight, bias, residual)
    x, weight, bias, residual = contiguous(*given)
    columns, depth = weight.shape
    out = empty((*x.shape[:-1], columns), x.dtype)
    rows, panels = math.prod(x.shape[:-1]), panels_of(columns, x.dtype)
    threads.run(
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
    packed = empty((depth * padded(columns, x.dtype),), x.dtype)
    threads.run(
        loops.backward,
        panels + groups + sums,
        panels,
        product_for(x.dtype),
        groups,
        (*addresses(dout, x, weight), packed),
        (*addresses(dx, dweights, dweight), dbiases, dbias),
        (rows, columns, depth),
        scratch=(loops.CHUNK * padded(columns, x.dtype), x.dtype),
    )
    dbias, dresidual = dbias if has_bias else None, dout if has_residual else None
    return LinearGrads(dx, dweight, dbias, dresidual)


def tiles_of(rows):
    """Return the number of pieces that rows are cut into: even, so that two threads end together."""
    return min(rows, 2 * -(-rows // (2 * loops.TILE)))
