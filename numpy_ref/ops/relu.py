"""Rectified linear unit."""

import numpy as np

from ..checks import check_floating, check_shape


def relu_forward(x):
    """out = max(x, 0), any shape."""
    check_floating(x=x)
    return np.maximum(x, 0), x


def relu_backward(dout, cache):
    """dx = dout where x > 0, else 0 (0 at x = 0, as in PyTorch)."""
    check_shape("dout", dout, cache.shape)
    return dout * (cache > 0)
