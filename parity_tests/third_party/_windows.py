"""Geometry of Swin and models based on it: windows of an image, the mask of a shift, coordinates."""

import math

import numpy as np
import torch


def partition(image, window):
    """Split image (B, sizes…, C) into windows (B · n, Π window, C); any number of axes."""
    axes = range(len(window))
    split = image
    for axis in reversed(axes):
        split = split.unflatten(1 + axis, (-1, window[axis]))
    order = [0, *(1 + 2 * a for a in axes), *(2 + 2 * a for a in axes), 1 + 2 * len(window)]
    return split.permute(order).flatten(0, len(window)).flatten(1, -2)


def merge(windows, window, counts):
    """Invert `partition` for `counts` windows along each axis."""
    axes = range(len(window))
    split = windows.unflatten(1, window).unflatten(0, (-1, *counts))
    n = len(window)
    order = [0, *(a for axis in axes for a in (1 + axis, 1 + n + axis)), 1 + 2 * n]
    merged = split.permute(order)
    for axis in axes:
        merged = merged.flatten(1 + axis, 2 + axis)
    return merged


def shift_mask(window, counts, shift):
    """Return the mask (n, L, L) of an image rolled by −shift: −100 between tokens of other regions."""
    regions = torch.zeros([w * n for w, n in zip(window, counts, strict=True)])
    for axis, (size, by) in enumerate(zip(regions.shape, shift, strict=True)):
        rolled = (torch.arange(size) >= size - by).double()
        shape = [-1 if axis == other else 1 for other in range(len(window))]
        regions = regions * 2 + rolled.view(shape)
    labels = partition(regions[None, ..., None], window)[..., 0]
    together = labels[:, None] == labels[:, :, None]
    return torch.zeros(together.shape, dtype=torch.float64).masked_fill(~together, -100.0)


def log_coordinates(offsets, window):
    """Return Swin V2's sign(δ) log₂(1 + |δ|) / log₂ 8, δ = 8 Δ / (window − 1), of offsets (…, 2)."""
    delta = 8 * offsets / (np.array(window) - 1)
    return np.sign(delta) * np.log2(1 + np.abs(delta)) / math.log2(8)


def cr_coordinates(offsets):
    """Return timm's sign(Δ) ln(1 + |Δ|) of offsets (…, 2), the mode "cr" of its RelPosMlp."""
    return np.sign(offsets) * np.log1p(np.abs(offsets))


def offsets(window):
    """Return every offset in a window, (2h − 1, 2w − 1, 2), from the most negative."""
    axes = [np.arange(1 - size, size) for size in window]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).astype(np.float64)
