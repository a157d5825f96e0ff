"""Rectified linear unit."""

import torch
from torch import Tensor

from ..gate import floating


def relu(x: Tensor) -> Tensor:
    """Return max(x, 0), for x of any shape. Raises TypeError for a wrong dtype."""
    (x,) = floating(x=x)
    return torch.relu(x)
