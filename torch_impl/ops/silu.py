"""SiLU, also called swish (arXiv 1606.08415, 1702.03118)."""

from torch import Tensor
from torch.nn import functional

from ..gate import floating


def silu(x: Tensor) -> Tensor:
    """Return x · σ(x), for x of any shape. Raises TypeError for a wrong dtype."""
    (x,) = floating(x=x)
    return functional.silu(x)
