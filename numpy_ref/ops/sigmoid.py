"""Logistic sigmoid."""

import numpy as np

from ..checks import check_floating, check_shape


def sigmoid_forward(x):
    """out = 1 / (1 + exp(−x)), any shape; written so that exp never overflows."""
    check_floating(x=x)
    small = np.exp(-np.abs(x))
    out = np.where(x >= 0, 1 / (1 + small), small / (1 + small))
    return out, out


def sigmoid_backward(dout, cache):
    """dx = dout · out · (1 − out)."""
    check_shape("dout", dout, cache.shape)
    return dout * cache * (1 - cache)
