"""The transformer's two-layer perceptron (arXiv 2010.11929 §3.1), with its residual connection."""

from torch.nn.functional import gelu

from .linear import linear


def mlp(x, weight1, bias1, weight2, bias2, residual=None):
    """residual + GELU(x W1ᵀ + b1) W2ᵀ + b2; residual may be None."""
    return linear(gelu(linear(x, weight1, bias1)), weight2, bias2, residual)
