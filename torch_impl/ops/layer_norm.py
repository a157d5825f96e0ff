"""Layer normalisation (arXiv 1607.06450)."""

from torch import Tensor
from torch.nn import functional

from ..checks import as_number
from ..gate import check_shape, floating, last_axis
from ..wide import wide


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-6) -> Tensor:
    """Normalise over the last axis: x̂ · weight + bias,  x̂ = (x − mean) / √(var + eps).

    Half precision is computed in float32 and rounded once: PyTorch's CPU kernel would add up the
    gradients of weight and bias in half precision.

    x: (..., D).
    weight, bias: (D,).
    eps: at least 0. var is the biased variance.
    Raises TypeError/ValueError naming what does not fit. D = 0 is an error.
    """
    x, weight, bias = floating(x=x, weight=weight, bias=bias)
    width = last_axis("x", x)
    check_shape("weight", weight, (width,))
    check_shape("bias", bias, (width,))
    if not width:
        raise ValueError(f"x has shape {tuple(x.shape)}: the mean of nothing is undefined")
    eps = as_number("eps", eps, "[0, inf)")
    return functional.layer_norm(wide(x), (width,), wide(weight), wide(bias), eps).to(x.dtype)
