"""Rectified linear unit."""

import torch
from torch import Tensor

from ..gate import floating


def relu(x: Tensor) -> Tensor:
    """max(x, 0), any shape. Raises TypeError for a wrong dtype."""
    (x,) = floating(x=x)
    return torch.relu(x)
