"""The transformer's two-layer perceptron (arXiv 2010.11929 §3.1), with its residual connection."""

from typing import NamedTuple

from ..checks import check_shape
from ..gate import Cache, floating, gradient, last_axis, recall
from ..types import Array
from .gelu import gelu_backward, gelu_forward
from .linear import linear_backward, linear_forward


class MlpGrads(NamedTuple):
    """The gradients of `mlp_forward`'s arguments; None for a residual that was not given."""

    dx: Array
    dweight1: Array
    dbias1: Array
    dweight2: Array
    dbias2: Array
    dresidual: Array | None


def mlp_forward(
    x: Array, weight1: Array, bias1: Array, weight2: Array, bias2: Array, residual: Array | None = None
) -> tuple[Array, Cache]:
    """Return out = [residual +] GELU(x W1ᵀ + b1) W2ᵀ + b2.

    x: (..., in).
    weight1, bias1: W1 (hidden, in) and b1 (hidden,).
    weight2, bias2: W2 (out, hidden) and b2 (out,).
    residual: (..., out), or None.
    Returns out (..., out) and the cache for `mlp_backward`.
    Raises ValueError/TypeError naming what does not fit.
    """
    x, weight1, bias1, weight2, bias2, residual = checked_mlp(
        x, weight1, bias1, weight2, bias2, residual
    )
    hidden, first = linear_forward(x, weight1, bias1)
    active, act = gelu_forward(hidden)
    out, second = linear_forward(active, weight2, bias2, residual)
    return out, Cache(mlp_forward, first, act, second, out.shape, out.dtype)


def mlp_backward(dout: Array, cache: Cache) -> MlpGrads:
    """Return the gradients. With h = x W1ᵀ + b1:
    dW2 = doutᵀ GELU(h),  dh = (dout W2) ∘ GELU′(h),  dW1 = dhᵀ x,  dx = dh W1,
    db2 = Σ_rows dout,  db1 = Σ_rows dh,  dresidual = dout.

    dout: (..., out).
    cache: what `mlp_forward` returned.
    """
    first, act, second, shape, dtype = recall(cache, mlp_forward)
    dout = gradient("dout", dout, shape, dtype)
    dactive, dweight2, dbias2, dresidual = linear_backward(dout, second)
    dx, dweight1, dbias1, _ = linear_backward(gelu_backward(dactive, act), first)
    assert dbias1 is not None and dbias2 is not None  # both layers have a bias
    return MlpGrads(dx, dweight1, dbias1, dweight2, dbias2, dresidual)


def checked_mlp(
    x: Array, weight1: Array, bias1: Array, weight2: Array, bias2: Array, residual: Array | None
) -> tuple[Array, Array, Array, Array, Array, Array | None]:
    """Return the arguments as plain arrays; raises TypeError/ValueError naming what does not fit."""
    x, weight1, bias1, weight2, bias2, residual = floating(
        {"residual": residual}, x=x, weight1=weight1, bias1=bias1, weight2=weight2, bias2=bias2
    )
    check_shape("weight1", weight1, (None, last_axis("x", x)))
    check_shape("bias1", bias1, weight1.shape[:1])
    check_shape("weight2", weight2, (None, len(weight1)))
    check_shape("bias2", bias2, weight2.shape[:1])
    if residual is not None:
        check_shape("residual", residual, (*x.shape[:-1], len(weight2)))
    return x, weight1, bias1, weight2, bias2, residual
