"""Swin V2's log-spaced coordinates of an offset (arXiv 2111.09883 §3.3)."""

import math

import torch
from torch import Tensor

from ..checks import as_sizes
from ..types import SizeLike
from ._base import PositionBias


def log_coords(offsets: Tensor, extent: tuple[int, ...]) -> Tensor:
    """Return sign(δ) log2(1 + |δ|) / log2(8),  δ = 8 Δ / extent along each axis, in float64."""
    axes = zip(offsets.double().unbind(-1), extent, strict=True)
    delta = torch.stack([axis / size * 8 for axis, size in axes], -1)
    return delta.sign() * torch.log1p(delta.abs()) / math.log(8)


def pretrained_extent(scheme: PositionBias, pretrained_window_size: SizeLike | None) -> tuple[int, ...]:
    """Return pretrained_window_size − 1 along each axis, at least 1; the window's own unless given."""
    given = scheme.window_size if pretrained_window_size is None else pretrained_window_size
    return tuple(max(size - 1, 1) for size in as_sizes("pretrained_window_size", given, 2))
