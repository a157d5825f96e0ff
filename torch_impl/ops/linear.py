"""Linear layer, and the residual connection around it: y = residual + x Wᵀ + b."""

from torch.nn import functional


def linear(x, weight, bias=None, residual=None):
    """residual + x Wᵀ + b; bias and residual may be None.

    Raises ValueError for a residual that is not shaped as the result: it would broadcast.
    """
    out = functional.linear(x, weight, bias)
    if residual is None:
        return out
    if residual.shape != out.shape:
        shapes = tuple(residual.shape), tuple(out.shape)
        raise ValueError("residual has shape {}, expected {}".format(*shapes))
    return residual + out
