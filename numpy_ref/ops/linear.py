"""Linear layer: y = x Wᵀ + b."""

from typing import NamedTuple

import numpy as np

from ..checks import check_floating, check_shape


class LinearGrads(NamedTuple):
    dx: np.ndarray
    dweight: np.ndarray
    dbias: np.ndarray | None


def linear_forward(x, weight, bias=None):
    """out = x @ weightᵀ + bias.

    x (..., in), weight (out, in), bias (out,) or None -> out (..., out), cache.
    Raises ValueError/TypeError when shapes or dtypes do not fit.
    """
    check_floating(x=x, weight=weight, bias=bias)
    check_shape("weight", weight, (None, x.shape[-1]))
    if bias is not None:
        check_shape("bias", bias, (weight.shape[0],))
    out = x.reshape(-1, x.shape[-1]) @ weight.T  # one large product beats many small ones
    if bias is not None:
        out += bias
    return out.reshape(*x.shape[:-1], len(weight)), (x, weight, bias is not None)


def linear_backward(dout, cache):
    """dx = dout W,  dW = doutᵀ x,  db = Σ_rows dout.

    dout (..., out) -> LinearGrads(dx, dweight, dbias); dbias is None when there was no bias. Its sum, of
    as many terms as there are rows, is made in float64.
    """
    x, weight, has_bias = cache
    check_shape("dout", dout, (*x.shape[:-1], weight.shape[0]))
    drows = dout.reshape(-1, weight.shape[0])
    dx = (drows @ weight).reshape(x.shape)
    dweight = drows.T @ x.reshape(-1, x.shape[-1])
    dbias = drows.sum(0, dtype=np.float64).astype(drows.dtype) if has_bias else None
    return LinearGrads(dx, dweight, dbias)
