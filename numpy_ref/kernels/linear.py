"""Linear layer on all cores, its products in registers; the formulas are the definition's."""

import numpy as np

from ..checks import check_floating, check_shape
from ..ops.linear import LinearGrads
from . import _linear as loops
from . import _threads
from ._buffers import empty
from ._product import padded, product_for

GROUPS, GROUP_ROWS = 16, 384  # at most so many groups of rows in backward, of at least so many rows


def linear_forward(x, weight, bias=None):
    """out = x @ weightᵀ + bias; see `numpy_ref.ops.linear_forward`."""
    check_floating(x=x, weight=weight, bias=bias)
    check_shape("weight", weight, (None, x.shape[-1]))
    if bias is not None:
        check_shape("bias", bias, weight.shape[:1])
        bias = np.ascontiguousarray(bias)
    x, weight = np.ascontiguousarray(x), np.ascontiguousarray(weight)
    columns, depth = weight.shape
    out = empty((*x.shape[:-1], columns), x.dtype)
    shape = (out.size // max(columns, 1), columns, depth)
    packed = packed_weight(weight, turned=True)
    _threads.run(
        loops.forward,
        _tiles(shape[0]),
        product_for(x.dtype),
        x.ctypes.data,
        packed,
        0 if bias is None else bias.ctypes.data,
        out.ctypes.data,
        shape,
    )
    return out, (x, weight, bias is not None)


def linear_backward(dout, cache):
    """dx = dout W,  dW = doutᵀ x,  db = Σ_rows dout; see `numpy_ref.ops.linear_backward`."""
    x, weight, has_bias = cache
    check_shape("dout", dout, (*x.shape[:-1], len(weight)))
    dout = np.ascontiguousarray(dout)
    depth, columns = weight.shape
    rows = x.size // max(columns, 1)
    groups = groups_of(rows)
    dx, dweights = empty(x.shape, x.dtype), empty((groups, depth, columns), x.dtype)
    dbiases = np.zeros((groups, depth if has_bias else 0))
    _threads.run(
        loops.backward,
        groups,
        product_for(x.dtype),
        dout.ctypes.data,
        x.ctypes.data,
        packed_weight(weight, turned=False),
        dx.ctypes.data,
        dweights.ctypes.data,
        dbiases,
        (rows, columns, depth),
        scratch=(loops.CHUNK * padded(columns, x.dtype), x.dtype),
    )
    dbias = dbiases.sum(0).astype(x.dtype) if has_bias else None
    return LinearGrads(dx, added_groups(dweights), dbias)


def groups_of(rows):
    """Into how many groups rows are cut whose sums are made side by side."""
    return min(GROUPS, max(1, rows // GROUP_ROWS)) if rows else 0


def added_groups(groups):
    """The groups added up, in order; zeros where there are none."""
    if len(groups) < 2:
        return groups[0] if len(groups) else np.zeros(groups.shape[1:], groups.dtype)
    total = empty(groups.shape[1:], groups.dtype)
    pieces = -(-total.size // loops.GROUP_PIECE)
    addresses = groups.ctypes.data, total.ctypes.data
    _threads.run(loops.add_groups, pieces, np.empty(0, total.dtype), len(groups), *addresses, total.size)
    return total


def _tiles(rows):
    return -(-rows // loops.TILE)


def packed_weight(weight, turned):
    """The weight as the right-hand side of a product, (in, out) when turned and (out, in) otherwise."""
    depth, columns = weight.shape[::-1] if turned else weight.shape
    packed = empty((depth * padded(columns, weight.dtype),), weight.dtype)
    loops.pack_weight(packed, weight.ctypes.data, weight.strides[0], depth, columns, turned)
    return packed
