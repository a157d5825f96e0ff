"""The transformer's two-layer perceptron (arXiv 2010.11929 §3.1)."""

from torch.nn.functional import gelu, linear


def mlp(x, weight1, bias1, weight2, bias2):
    """GELU(x W1ᵀ + b1) W2ᵀ + b2."""
    return linear(gelu(linear(x, weight1, bias1)), weight2, bias2)
