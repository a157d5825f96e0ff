"""GELU, the exact (erf) form (arXiv 1606.08415)."""

from torch import Tensor
from torch.nn import functional

from ..gate import floating


def gelu(x: Tensor) -> Tensor:
    """Return x · Φ(x), for x of any shape. Raises TypeError for a wrong dtype."""
    (x,) = floating(x=x)
    return functional.gelu(x)
