"""Logistic sigmoid."""

import torch

from ..gate import floating


def sigmoid(x):
    """1 / (1 + exp(−x)), any shape. Raises TypeError for a wrong dtype."""
    (x,) = floating(x=x)
    return torch.sigmoid(x)
