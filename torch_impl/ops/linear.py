"""Linear layer, and the residual connection around it: y = residual + x Wᵀ + b."""

from torch.nn import functional


def linear(x, weight, bias=None, residual=None):
    """residual + x Wᵀ + b; bias and residual may be None."""
    out = functional.linear(x, weight, bias)
    return out if residual is None else residual + out
