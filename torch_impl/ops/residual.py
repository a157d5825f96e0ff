"""Residual connection with a drawn multiplier (dropout 1207.0580, stochastic depth 1603.09382)."""

from torch import Tensor

from ..gate import check_shape, floating


def residual(x: Tensor, branch: Tensor, multiplier: Tensor | None = None) -> Tensor:
    """Return x + multiplier · branch.

    x, branch: of one shape (B, …).
    multiplier: of that shape (dropout), (B, 1, …) (stochastic depth), or None for 1.
    Raises TypeError/ValueError naming what does not fit.
    """
    x, branch, multiplier = floating({"multiplier": multiplier}, x=x, branch=branch)
    check_shape("branch", branch, x.shape)
    if multiplier is None:
        return x + branch
    _check_multiplier(multiplier, x.shape)
    return x + branch * multiplier


def dropout(x: Tensor, multiplier: Tensor) -> Tensor:
    """Return multiplier · x.

    x: (B, …).
    multiplier: of x's shape, or (B, 1, …).
    Raises TypeError/ValueError naming what does not fit.
    """
    x, multiplier = floating(x=x, multiplier=multiplier)
    _check_multiplier(multiplier, x.shape)
    return x * multiplier


def _check_multiplier(multiplier: Tensor, shape: tuple[int, ...]) -> None:
    if multiplier.shape != shape:
        check_shape("multiplier", multiplier, (*shape[:1], *(1 for _ in shape[1:])))
