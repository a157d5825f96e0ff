"""Linear layer, with a residual connection around it: y = residual + x Wᵀ + b."""

import math
from typing import NamedTuple

import numpy as np

from ..checks import check_shape
from ..gate import Cache, floating, gradient, last_axis, recall
from ..types import Array


class LinearGrads(NamedTuple):
    """The gradients of `linear_forward`'s arguments; None for one that was not given."""

    dx: Array
    dweight: Array
    dbias: Array | None
    dresidual: Array | None


def linear_forward(
    x: Array, weight: Array, bias: Array | None = None, residual: Array | None = None
) -> tuple[Array, Cache]:
    """Return out = [residual +] x Wᵀ [+ b].

    x: (..., in).
    weight: W (out, in).
    bias: b (out,), or None.
    residual: (..., out), or None.
    Returns out (..., out) and the cache for `linear_backward`.
    Raises ValueError/TypeError naming what does not fit.
    """
    x, weight, bias, residual = checked_linear(x, weight, bias, residual)
    out = rows_of(x) @ weight.T  # one large product beats many small ones
    if bias is not None:
        out += bias
    out = out.reshape(*x.shape[:-1], len(weight))
    if residual is not None:
        out += residual
    return out, Cache(linear_forward, x, weight, bias is not None, residual is not None)


def linear_backward(dout: Array, cache: Cache) -> LinearGrads:
    """Return the gradients: dx = dout W,  dW = doutᵀ x,  db = Σ_rows dout,  dresidual = dout.

    The sum for db has as many terms as there are rows, so it is made in float64.

    dout: (..., out).
    cache: what `linear_forward` returned.
    """
    x, weight, has_bias, has_residual = recall(cache, linear_forward)
    dout = gradient("dout", dout, (*x.shape[:-1], len(weight)), x.dtype)
    drows = rows_of(dout)
    dx = (drows @ weight).reshape(x.shape)
    dweight = drows.T @ rows_of(x)
    dbias = drows.sum(0, dtype=np.float64).astype(drows.dtype) if has_bias else None
    return LinearGrads(dx, dweight, dbias, dout if has_residual else None)


def rows_of(x: Array) -> Array:
    """Return x (..., D) as (rows, D), also if it has no elements."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def checked_linear(
    x: Array, weight: Array, bias: Array | None, residual: Array | None
) -> tuple[Array, Array, Array | None, Array | None]:
    """Return the arguments as plain arrays; raises TypeError/ValueError naming what does not fit."""
    x, weight, bias, residual = floating({"bias": bias, "residual": residual}, x=x, weight=weight)
    check_shape("weight", weight, (None, last_axis("x", x)))
    if bias is not None:
        check_shape("bias", bias, (len(weight),))
    if residual is not None:
        check_shape("residual", residual, (*x.shape[:-1], len(weight)))
    return x, weight, bias, residual
