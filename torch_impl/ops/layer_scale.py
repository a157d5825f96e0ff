"""Layer scale: a learned factor for each channel of a residual branch (CaiT, arXiv 2103.17239)."""

from torch import Tensor

from ..gate import check_shape, floating, last_axis


def layer_scale(x: Tensor, gamma: Tensor, residual: Tensor | None = None) -> Tensor:
    """Scale the channels: gamma · x [+ residual].

    x: (..., D).
    gamma: (D,).
    residual: of x's shape, or None.
    Raises TypeError/ValueError naming what does not fit.
    """
    x, gamma, residual = floating({"residual": residual}, x=x, gamma=gamma)
    check_shape("gamma", gamma, (last_axis("x", x),))
    if residual is None:
        return gamma * x
    check_shape("residual", residual, x.shape)
    return residual + gamma * x
