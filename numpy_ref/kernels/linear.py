"""The linear layer on all threads, its products in registers."""

import math

from ..gate import Cache, gradient, recall
from ..ops.linear import LinearGrads, checked_linear
from . import linear_loops as loops
from .machine import threads
from .machine.arrays import addresses, contiguous
from .machine.buffers import empty
from .machine.product import padded, panels_of, product_for
from .sums import empty_groups, groups_of, zero_sums


def linear_forward(x, weight, bias=None, residual=None):
    """out = residual + x @ weightᵀ + bias; see `numpy_ref.ops.linear_forward`."""
    given = checked_linear(x, weight, bias, residual)
    x, weight, bias, residual = contiguous(*given)
    out_width, x_width = weight.shape
    out = empty((*x.shape[:-1], out_width), x.dtype)
    rows = math.prod(x.shape[:-1])
    panels = panels_of(out_width, x.dtype)
    threads.run(
        loops.forward,
        panels + pieces_of(rows),
        panels,
        product_for(x.dtype),
        *addresses(x, weight),
        empty((x_width * padded(out_width, x.dtype),), x.dtype),
        *addresses(bias, residual, out),
        (rows, x_width, out_width),
    )
    return out, Cache(linear_forward, x, weight, bias is not None, residual is not None)


def linear_backward(dout, cache):
    """dx, dweight, dbias, dresidual; see `numpy_ref.ops.linear_backward`."""
    x, weight, has_bias, has_residual = recall(cache, linear_forward)
    (dout,) = contiguous(gradient("dout", dout, (*x.shape[:-1], len(weight)), x.dtype))
    out_width, x_width = weight.shape
    rows = math.prod(x.shape[:-1])
    panels = panels_of(x_width, x.dtype)
    groups = groups_of(rows)
    dx = empty(x.shape, x.dtype)
    dweights, dweight, sum_pieces = empty_groups(groups, weight.shape, x.dtype)
    dbiases, dbias = zero_sums(groups, out_width if has_bias else 0, x.dtype)
    packed = empty((out_width * padded(x_width, x.dtype),), x.dtype)
    threads.run(
        loops.backward,
        panels + groups + sum_pieces,
        panels,
        product_for(x.dtype),
        groups,
        (*addresses(dout, x, weight), packed),
        (*addresses(dx, dweights, dweight), dbiases, dbias),
        (rows, x_width, out_width),
        scratch=(loops.CHUNK_ROWS * padded(x_width, x.dtype), x.dtype),
    )
    dresidual = dout if has_residual else None
    return LinearGrads(dx, dweight, dbias if has_bias else None, dresidual)


def pieces_of(rows):
    """Return the number of pieces that rows are cut into in forward: even, so that two threads end
    together.
    """
    return min(rows, 2 * -(-rows // (2 * loops.PIECE_ROWS)))
