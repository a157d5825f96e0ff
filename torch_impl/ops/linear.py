"""Linear layer, with a residual connection around it: y = residual + x Wᵀ + b."""

from torch import Tensor
from torch.nn import functional

from ..gate import check_shape, floating, last_axis


def linear(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, residual: Tensor | None = None
) -> Tensor:
    """Return [residual +] x Wᵀ [+ b].

    x: (..., in).
    weight: W (out, in).
    bias: b (out,), or None.
    residual: (..., out), or None; one that would only broadcast is refused.
    Raises TypeError/ValueError naming what does not fit.
    """
    x, weight, bias, residual = floating({"bias": bias, "residual": residual}, x=x, weight=weight)
    check_shape("weight", weight, (None, last_axis("x", x)))
    if bias is not None:
        check_shape("bias", bias, (len(weight),))
    if residual is not None:
        check_shape("residual", residual, (*x.shape[:-1], len(weight)))
    out = functional.linear(x, weight, bias)
    return out if residual is None else residual + out
