"""SiLU, also called swish (arXiv 1606.08415, 1702.03118)."""

from ..checks import check_floating, check_shape
from .sigmoid import sigmoid_forward


def silu_forward(x):
    """out = x · σ(x), any shape."""
    check_floating(x=x)
    sigmoid = sigmoid_forward(x)[0]
    return x * sigmoid, (x, sigmoid)


def silu_backward(dout, cache):
    """dx = dout · (σ + x · σ (1 − σ))."""
    x, sigmoid = cache
    check_shape("dout", dout, x.shape)
    return dout * (sigmoid + x * sigmoid * (1 - sigmoid))
