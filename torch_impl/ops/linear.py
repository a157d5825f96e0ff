"""Linear layer, and the residual connection around it: y = residual + x Wᵀ + b."""

from torch import Tensor
from torch.nn import functional

from ..gate import check_shape, floating, last_axis


def linear(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, residual: Tensor | None = None
) -> Tensor:
    """residual + x Wᵀ + b; bias and residual may be None.

    Raises TypeError/ValueError naming what does not fit, also a residual that would broadcast.
    """
    x, weight, bias, residual = floating({"bias": bias, "residual": residual}, x=x, weight=weight)
    check_shape("weight", weight, (None, last_axis("x", x)))
    if bias is not None:
        check_shape("bias", bias, (len(weight),))
    if residual is not None:
        check_shape("residual", residual, (*x.shape[:-1], len(weight)))
    out = functional.linear(x, weight, bias)
    return out if residual is None else residual + out
