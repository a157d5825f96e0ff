"""Residual connection with a drawn multiplier (dropout 1207.0580, stochastic depth 1603.09382)."""

from typing import NamedTuple

from ..checks import check_shape
from ..gate import Cache, floating, gradient, recall
from ..types import Array


class ResidualGrads(NamedTuple):
    """The gradients of `residual_forward`'s arguments."""

    dx: Array
    dbranch: Array


def residual_forward(x: Array, branch: Array, multiplier: Array | None = None) -> tuple[Array, Cache]:
    """Return out = x + multiplier · branch.

    x, branch: of one shape (B, …).
    multiplier: of that shape (dropout), (B, 1, …) (stochastic depth), or None for 1.
    Returns out and the cache for `residual_backward`.
    Raises TypeError/ValueError naming what does not fit.
    """
    x, branch, multiplier = checked_residual(x, branch, multiplier)
    out = x + (branch if multiplier is None else multiplier * branch)
    return out, Cache(residual_forward, multiplier, x.shape, x.dtype)


def residual_backward(dout: Array, cache: Cache) -> ResidualGrads:
    """Return dx = dout and dbranch = multiplier · dout."""
    multiplier, shape, dtype = recall(cache, residual_forward)
    dout = gradient("dout", dout, shape, dtype)
    return ResidualGrads(dout, dout if multiplier is None else multiplier * dout)


def dropout_forward(x: Array, multiplier: Array) -> tuple[Array, Cache]:
    """Return out = multiplier · x.

    x: (B, …).
    multiplier: of x's shape, or (B, 1, …).
    Returns out and the cache for `dropout_backward`.
    Raises TypeError/ValueError naming what does not fit.
    """
    x, multiplier = checked_dropout(x, multiplier)
    return multiplier * x, Cache(dropout_forward, multiplier, x.shape)


def dropout_backward(dout: Array, cache: Cache) -> Array:
    """Return dx = multiplier · dout."""
    multiplier, shape = recall(cache, dropout_forward)
    return multiplier * gradient("dout", dout, shape, multiplier.dtype)


def checked_residual(
    x: Array, branch: Array, multiplier: Array | None
) -> tuple[Array, Array, Array | None]:
    """Return the arguments as plain arrays; raises TypeError/ValueError naming what does not fit."""
    x, branch, multiplier = floating({"multiplier": multiplier}, x=x, branch=branch)
    check_shape("branch", branch, x.shape)
    if multiplier is not None:
        _check_multiplier(multiplier, x.shape)
    return x, branch, multiplier


def checked_dropout(x: Array, multiplier: Array) -> tuple[Array, Array]:
    """Return the arguments as plain arrays; raises TypeError/ValueError naming what does not fit."""
    x, multiplier = floating(x=x, multiplier=multiplier)
    _check_multiplier(multiplier, x.shape)
    return x, multiplier


def _check_multiplier(multiplier: Array, shape: tuple[int, ...]) -> None:
    if multiplier.shape != shape:
        check_shape("multiplier", multiplier, (*shape[:1], *(1 for _ in shape[1:])))
