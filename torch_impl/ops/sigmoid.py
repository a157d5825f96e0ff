"""Logistic sigmoid."""

import torch
from torch import Tensor

from ..gate import floating


def sigmoid(x: Tensor) -> Tensor:
    """Return 1 / (1 + exp(−x)), for x of any shape. Raises TypeError for a wrong dtype."""
    (x,) = floating(x=x)
    return torch.sigmoid(x)
