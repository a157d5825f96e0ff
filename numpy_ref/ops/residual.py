"""Residual connection with a drawn multiplier (dropout 1207.0580, stochastic depth 1603.09382)."""

from typing import NamedTuple

import numpy as np

from ..checks import check_shape
from ..gate import Cache, floating, gradient, recall


class ResidualGrads(NamedTuple):
    dx: np.ndarray
    dbranch: np.ndarray


def residual_forward(x, branch, multiplier=None):
    """out = x + multiplier · branch.

    x and branch of one shape (B, …); multiplier: that shape (dropout), (B, 1, …) (stochastic depth) or
    None for 1 -> out, cache. Raises TypeError/ValueError naming what does not fit.
    """
    x, branch, multiplier = checked_residual(x, branch, multiplier)
    out = x + (branch if multiplier is None else multiplier * branch)
    return out, Cache(residual_forward, multiplier, x.shape, x.dtype)


def residual_backward(dout, cache):
    """dx = dout,  dbranch = multiplier · dout."""
    multiplier, shape, dtype = recall(cache, residual_forward)
    dout = gradient("dout", dout, shape, dtype)
    return ResidualGrads(dout, dout if multiplier is None else multiplier * dout)


def dropout_forward(x, multiplier):
    """out = multiplier · x, shapes as in `residual_forward` -> out, cache."""
    x, multiplier = checked_dropout(x, multiplier)
    return multiplier * x, Cache(dropout_forward, multiplier, x.shape)


def dropout_backward(dout, cache):
    """dx = multiplier · dout."""
    multiplier, shape = recall(cache, dropout_forward)
    return multiplier * gradient("dout", dout, shape, multiplier.dtype)


def checked_residual(x, branch, multiplier):
    """As plain arrays; raises TypeError/ValueError naming what does not fit."""
    x, branch, multiplier = floating({"multiplier": multiplier}, x=x, branch=branch)
    check_shape("branch", branch, x.shape)
    if multiplier is not None:
        _check_multiplier(multiplier, x.shape)
    return x, branch, multiplier


def checked_dropout(x, multiplier):
    """As plain arrays; raises TypeError/ValueError naming what does not fit."""
    x, multiplier = floating(x=x, multiplier=multiplier)
    _check_multiplier(multiplier, x.shape)
    return x, multiplier


def _check_multiplier(multiplier, shape):
    if multiplier.shape != shape:
        check_shape("multiplier", multiplier, (*shape[:1], *(1 for _ in shape[1:])))
