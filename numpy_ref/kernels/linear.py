"""Linear layer whose products run in pieces on all cores; the formulas are the definition's."""

from ..checks import check_floating, check_shape
from ..ops.linear import LinearGrads
from ._chunks import matmul


def linear_forward(x, weight, bias=None):
    """out = x @ weightᵀ + bias; see `numpy_ref.ops.linear_forward`."""
    check_floating(x=x, weight=weight, bias=bias)
    check_shape("weight", weight, (None, x.shape[-1]))
    if bias is not None:
        check_shape("bias", bias, weight.shape[:1])
    out = matmul(x.reshape(-1, x.shape[-1]), weight.T)
    if bias is not None:
        out += bias
    return out.reshape(*x.shape[:-1], len(weight)), (x, weight, bias is not None)


def linear_backward(dout, cache):
    """dx = dout W,  dW = doutᵀ x,  db = Σ_rows dout; see `numpy_ref.ops.linear_backward`."""
    x, weight, has_bias = cache
    check_shape("dout", dout, (*x.shape[:-1], len(weight)))
    drows = dout.reshape(-1, len(weight))
    dx = matmul(drows, weight).reshape(x.shape)
    dweight = matmul(drows.T, x.reshape(-1, x.shape[-1]))
    return LinearGrads(dx, dweight, drows.sum(0) if has_bias else None)
