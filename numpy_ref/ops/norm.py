"""The norm of a gradient."""

import numpy as np

from ..gate import floating
from ..types import Array


def squared_norm(x: Array) -> float:
    """Return Σ x² of an array of any shape, added up in float64. Raises TypeError for a wrong dtype."""
    (x,) = floating(x=x)
    return float(np.square(x, dtype=np.float64).sum())
