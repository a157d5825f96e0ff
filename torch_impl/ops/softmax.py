"""Softmax over the last axis."""

import torch
from torch import Tensor

from ..gate import floating, last_axis


def softmax(x: Tensor) -> Tensor:
    """Return exp(x_j) / Σ_k exp(x_k).

    x: (..., N). Raises TypeError/ValueError for a wrong dtype or N = 0.
    """
    (x,) = floating(x=x)
    if not last_axis("x", x):
        raise ValueError(f"x has shape {tuple(x.shape)}: the softmax of nothing is undefined")
    return torch.softmax(x, dim=-1)
