"""Swin V2's log-spaced coordinates of an offset (arXiv 2111.09883 §3.3)."""

import math

import numpy as np

from ..checks import as_sizes
from ..types import Array, SizeLike
from ._base import PositionBias


def log_coords(offsets: Array, extent: tuple[int, ...]) -> Array:
    """Return sign(δ) log2(1 + |δ|) / log2(8),  δ = 8 Δ / extent along each axis, in float64."""
    delta = 8 * offsets / np.array(extent)
    return np.sign(delta) * np.log2(1 + np.abs(delta)) / math.log2(8)


def pretrained_extent(scheme: PositionBias, pretrained_window_size: SizeLike | None) -> tuple[int, ...]:
    """Return pretrained_window_size − 1 along each axis, at least 1; the window's own unless given."""
    given = scheme.window_size if pretrained_window_size is None else pretrained_window_size
    return tuple(max(size - 1, 1) for size in as_sizes("pretrained_window_size", given, 2))
