"""The perceptron fused: the hidden layer before its GELU is kept, and nothing else of its size made."""

import math

from ..gate import Cache, gradient, recall
from ..ops.mlp import MlpGrads, checked_mlp
from . import mlp_loops as loops
from .linear import pieces_of
from .linear_loops import CHUNK_ROWS, PIECE_ROWS
from .machine import threads
from .machine.arrays import addresses, contiguous
from .machine.buffers import empty
from .machine.product import padded, panels_of, product_for
from .sums import empty_groups, groups_of, zero_sums


def mlp_forward(x, weight1, bias1, weight2, bias2, residual=None):
    """out = residual + GELU(x W1ᵀ + b1) W2ᵀ + b2; see `numpy_ref.ops.mlp_forward`."""
    given = checked_mlp(x, weight1, bias1, weight2, bias2, residual)
    x, weight1, bias1, weight2, bias2, residual = contiguous(*given)
    rows = math.prod(x.shape[:-1])
    widths = _widths(weight1, weight2)
    x_width, hidden_width, out_width = widths
    hidden = empty((*x.shape[:-1], hidden_width), x.dtype)
    out = empty((*x.shape[:-1], out_width), x.dtype)
    panels, packed = _empty_packed((x_width, hidden_width), (hidden_width, out_width), x.dtype)
    threads.run(
        loops.forward,
        panels.both + pieces_of(rows),
        tuple(panels),
        product_for(x.dtype),
        packed,
        tuple(addresses(x, weight1, bias1, weight2, bias2, residual)),
        *addresses(hidden, out),
        rows,
        widths,
        scratch=(PIECE_ROWS * hidden_width, x.dtype),
    )
    return out, Cache(mlp_forward, x, hidden, weight1, weight2, residual is not None)


def mlp_backward(dout, cache):
    """dx, dweight1, dbias1, dweight2, dbias2, dresidual; see `numpy_ref.ops.mlp_backward`."""
    x, hidden, weight1, weight2, has_residual = recall(cache, mlp_forward)
    (dout,) = contiguous(gradient("dout", dout, (*x.shape[:-1], len(weight2)), x.dtype))
    rows = math.prod(x.shape[:-1])
    widths = _widths(weight1, weight2)
    x_width, hidden_width, out_width = widths
    groups = groups_of(rows)
    dx = empty(x.shape, x.dtype)
    weights = weight1.size + weight2.size
    dweights, dweight, sum_pieces = empty_groups(groups, (weights,), x.dtype)
    dbiases, dbias = zero_sums(groups, hidden_width + out_width, x.dtype)
    panels, packed = _empty_packed((hidden_width, x_width), (out_width, hidden_width), x.dtype)
    threads.run(
        loops.backward,
        panels.both + groups + sum_pieces,
        tuple(panels),
        product_for(x.dtype),
        packed,
        groups,
        tuple(addresses(dout, x, hidden, weight1, weight2)),
        (*addresses(dx, dweights, dweight), dbiases, dbias),
        rows,
        widths,
        scratch=(CHUNK_ROWS * (hidden_width + padded(max(x_width, hidden_width), x.dtype)), x.dtype),
    )
    dweight1, dweight2 = dweight[: weight1.size], dweight[weight1.size :]
    dweight1, dweight2 = dweight1.reshape(weight1.shape), dweight2.reshape(weight2.shape)
    dresidual = dout if has_residual else None
    return MlpGrads(dx, dweight1, dbias[:hidden_width], dweight2, dbias[hidden_width:], dresidual)


def _empty_packed(first, second, dtype):
    """(Panels, memory) for two packed right-hand sides, each of a shape (K, columns)."""
    panels1, panels2 = (panels_of(columns, dtype) for _, columns in (first, second))
    start, more = (rows * padded(columns, dtype) for rows, columns in (first, second))
    return loops.Panels(panels1, panels1 + panels2, start), empty((start + more,), dtype)


def _widths(weight1, weight2):
    """(x_width, hidden_width, out_width)"""
    hidden_width, x_width = weight1.shape
    return x_width, hidden_width, len(weight2)
