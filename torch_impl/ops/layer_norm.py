"""Layer normalisation (arXiv 1607.06450)."""

from torch.nn import functional


def layer_norm(x, weight, bias, eps=1e-6):
    """x̂ · weight + bias over the last axis; x (..., D)."""
    return functional.layer_norm(x, weight.shape, weight, bias, eps)
