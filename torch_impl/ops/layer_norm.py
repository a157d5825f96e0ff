"""Layer normalisation (arXiv 1607.06450)."""

from torch.nn import functional

from ..wide import wide


def layer_norm(x, weight, bias, eps=1e-6):
    """x̂ · weight + bias over the last axis; x (..., D).

    Half precision is computed in float32 and rounded once: PyTorch's CPU kernel would add the gradients
    of weight and bias up in half precision.
    """
    out = functional.layer_norm(wide(x), weight.shape, wide(weight), wide(bias), eps)
    return out.to(x.dtype)
