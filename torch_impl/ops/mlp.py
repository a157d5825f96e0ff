"""The transformer's two-layer perceptron (arXiv 2010.11929 §3.1), with its residual connection."""

from torch import Tensor
from torch.nn import functional

from ..gate import check_shape, floating, last_axis


def mlp(
    x: Tensor,
    weight1: Tensor,
    bias1: Tensor,
    weight2: Tensor,
    bias2: Tensor,
    residual: Tensor | None = None,
) -> Tensor:
    """Return [residual +] GELU(x W1ᵀ + b1) W2ᵀ + b2.

    x: (..., in).
    weight1, bias1: W1 (hidden, in) and b1 (hidden,).
    weight2, bias2: W2 (out, hidden) and b2 (out,).
    residual: (..., out), or None.
    Raises TypeError/ValueError naming what does not fit.
    """
    x, weight1, bias1, weight2, bias2, residual = floating(
        {"residual": residual}, x=x, weight1=weight1, bias1=bias1, weight2=weight2, bias2=bias2
    )
    check_shape("weight1", weight1, (None, last_axis("x", x)))
    check_shape("bias1", bias1, weight1.shape[:1])
    check_shape("weight2", weight2, (None, len(weight1)))
    check_shape("bias2", bias2, weight2.shape[:1])
    if residual is not None:
        check_shape("residual", residual, (*x.shape[:-1], len(weight2)))
    hidden = functional.gelu(functional.linear(x, weight1, bias1))
    out = functional.linear(hidden, weight2, bias2)
    return out if residual is None else residual + out
