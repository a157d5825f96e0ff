"""The size of a gradient."""

import numpy as np

from ..gate import floating
from ..types import Array


def squared_norm(x: Array) -> float:
    """Σ x², in float64, of an array of any shape."""
    (x,) = floating(x=x)
    return float(np.square(x, dtype=np.float64).sum())
