"""Softmax over the last axis."""

import numpy as np

from ..checks import check_floating, check_shape


def softmax_forward(x):
    """p_j = exp(x_j − max x) / Σ_k exp(x_k − max x).

    x (..., N) -> p (..., N), cache. −inf entries get probability 0; a row of only −inf gives NaN.
    """
    check_floating(x=x)
    p = x - x.max(-1, keepdims=True)
    np.exp(p, out=p)
    p /= p.sum(-1, keepdims=True)
    return p, p


def softmax_backward(dout, cache):
    """dx = p · (dout − Σ_k p_k dout_k)."""
    p = cache
    check_shape("dout", dout, p.shape)
    return p * (dout - (p * dout).sum(-1, keepdims=True))
