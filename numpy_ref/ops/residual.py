"""Residual connection with a drawn multiplier (dropout 1207.0580, stochastic depth 1603.09382)."""

from typing import NamedTuple

import numpy as np

from ..checks import check_floating, check_shape


class ResidualGrads(NamedTuple):
    dx: np.ndarray
    dbranch: np.ndarray


def residual_forward(x, branch, multiplier=None):
    """out = x + multiplier · branch.

    x and branch of one shape (B, …); multiplier: that shape (dropout), (B, 1, …) (stochastic depth) or
    None for 1 -> out, cache. Raises TypeError/ValueError naming what does not fit.
    """
    check_floating(x=x, branch=branch, multiplier=multiplier)
    check_shape("branch", branch, x.shape)
    check_multiplier(multiplier, x.shape)
    return x + (branch if multiplier is None else multiplier * branch), multiplier


def residual_backward(dout, cache):
    """dx = dout,  dbranch = multiplier · dout."""
    return ResidualGrads(dout, dout if cache is None else cache * dout)


def dropout_forward(x, multiplier):
    """out = multiplier · x, shapes as in `residual_forward` -> out, cache."""
    check_floating(x=x, multiplier=multiplier)
    check_multiplier(multiplier, x.shape)
    return multiplier * x, multiplier


def dropout_backward(dout, cache):
    """dx = multiplier · dout."""
    check_multiplier(cache, dout.shape)
    return cache * dout


def check_multiplier(multiplier, shape):
    """Whether each element has a multiplier of its own; raises ValueError for other shapes."""
    if multiplier is None or multiplier.shape == shape:
        return True
    check_shape("multiplier", multiplier, (*shape[:1], *(1 for _ in shape[1:])))
    return False
