"""The size of a gradient."""

import numpy as np

from ..gate import floating


def squared_norm(x):
    """Σ x², in float64, of an array of any shape."""
    (x,) = floating(x=x)
    return float(np.square(x, dtype=np.float64).sum())
