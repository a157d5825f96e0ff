"""The perceptron fused: the hidden layer before its GELU is kept, and nothing else of its size made."""

import math

from ..gate import Cache, gradient, recall
from ..ops.mlp import MlpGrads, checked_mlp
from . import mlp_loops as loops
from .linear import tiles_of
from .linear_loops import CHUNK, TILE
from .machine import threads
from .machine.arrays import addresses, contiguous
from .machine.buffers import empty
from .machine.product import padded, panels_of, product_for
from .sums import empty_groups, empty_sums, groups_of


def mlp_forward(x, weight1, bias1, weight2, bias2, residual=None):
    """out = residual + GELU(x W1ᵀ + b1) W2ᵀ + b2; see `numpy_ref.ops.mlp_forward`."""
    given = checked_mlp(x, weight1, bias1, weight2, bias2, residual)
    x, weight1, bias1, weight2, bias2, residual = contiguous(*given)
    shape = _shape(x, weight1, weight2)
    rows, columns, middle, depth = shape
    hidden, out = empty((*x.shape[:-1], middle), x.dtype), empty((*x.shape[:-1], depth), x.dtype)
    panels, packed = _empty_packed((columns, middle), (middle, depth), x.dtype)
    threads.run(
        loops.forward,
        panels.both + tiles_of(rows),
        tuple(panels),
        product_for(x.dtype),
        packed,
        tuple(addresses(x, weight1, bias1, weight2, bias2, residual)),
        *addresses(hidden, out),
        shape,
        scratch=(TILE * middle, x.dtype),
    )
    return out, Cache(mlp_forward, x, hidden, weight1, weight2, residual is not None)


def mlp_backward(dout, cache):
    """dx, dweight1, dbias1, dweight2, dbias2, dresidual; see `numpy_ref.ops.mlp_backward`."""
    x, hidden, weight1, weight2, has_residual = recall(cache, mlp_forward)
    (dout,) = contiguous(gradient("dout", dout, (*x.shape[:-1], len(weight2)), x.dtype))
    shape = _shape(x, weight1, weight2)
    rows, columns, middle, depth = shape
    groups, dx = groups_of(rows), empty(x.shape, x.dtype)
    dweights, dweight, sums = empty_groups(groups, ((columns + depth) * middle,), x.dtype)
    dbiases, dbias = empty_sums(groups, middle + depth, x.dtype)
    panels, packed = _empty_packed((middle, columns), (depth, middle), x.dtype)
    threads.run(
        loops.backward,
        panels.both + groups + sums,
        tuple(panels),
        product_for(x.dtype),
        packed,
        groups,
        tuple(addresses(dout, x, hidden, weight1, weight2)),
        (*addresses(dx, dweights, dweight), dbiases, dbias),
        shape,
        scratch=(CHUNK * (middle + padded(max(columns, middle), x.dtype)), x.dtype),
    )
    dweight1, dweight2 = dweight[: weight1.size], dweight[weight1.size :]
    dweight1, dweight2 = dweight1.reshape(weight1.shape), dweight2.reshape(weight2.shape)
    dresidual = dout if has_residual else None
    return MlpGrads(dx, dweight1, dbias[:middle], dweight2, dbias[middle:], dresidual)


def _empty_packed(first, second, dtype):
    """(Panels, memory) for two packed right-hand sides, each of a shape (K, columns)."""
    panels1, panels2 = (panels_of(columns, dtype) for _, columns in (first, second))
    start, more = (rows * padded(columns, dtype) for rows, columns in (first, second))
    return loops.Panels(panels1, panels1 + panels2, start), empty((start + more,), dtype)


def _shape(x, weight1, weight2):
    """rows, columns of x, hidden and output features"""
    middle, columns = weight1.shape
    return math.prod(x.shape[:-1]), columns, middle, len(weight2)
