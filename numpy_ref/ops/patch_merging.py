"""Gather 2×2 neighbours of a map before its resolution is halved (Swin, arXiv 2103.14030 §3.1)."""

import numpy as np

from ..checks import check_shape
from ..gate import Cache, floating, gradient, recall
from ..types import Array


def patch_merging_forward(x: Array) -> tuple[Array, Cache]:
    """Put the channels of 2×2 neighbours side by side:
    out[b, i, j, (u, v, c)] = x[b, 2i + v, 2j + u, c],  u, v ∈ {0, 1}.

    A map of odd height or width has zeros below or on the right. The order of the four is timm's: the
    upper left, the lower left, the upper right, the lower right token.

    x: (B, H, W, C).
    Returns out (B, ⌈H/2⌉, ⌈W/2⌉, 4C) and the cache for `patch_merging_backward`.
    Raises TypeError/ValueError naming what does not fit.
    """
    x = checked_map(x)
    return merged(x), Cache(patch_merging_forward, x.shape, x.dtype)


def patch_merging_backward(dout: Array, cache: Cache) -> Array:
    """Return dx. Each token lies in one group of four, so this is the inverse permutation.

    dout: (B, ⌈H/2⌉, ⌈W/2⌉, 4C).
    cache: what `patch_merging_forward` returned.
    """
    shape, dtype = recall(cache, patch_merging_forward)
    return split(gradient("dout", dout, merged_shape(shape), dtype), *shape[1:3])


def checked_map(x: Array) -> Array:
    """Return x as a plain array (B, H, W, C); raises TypeError/ValueError."""
    (x,) = floating(x=x)
    check_shape("x", x, (None, None, None, None))
    return x


def merged_shape(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """(B, H, W, C) -> (B, ⌈H/2⌉, ⌈W/2⌉, 4C)"""
    batch, height, width, chans = shape
    return batch, (height + 1) // 2, (width + 1) // 2, 4 * chans


def merged(x: Array) -> Array:
    """(B, H, W, C) -> (B, ⌈H/2⌉, ⌈W/2⌉, 4C)"""
    _, height, width, chans = x.shape
    batch, rows, columns, last = merged_shape(x.shape)
    padded = np.pad(x, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)))
    quads = padded.reshape(batch, rows, 2, columns, 2, chans).transpose(0, 1, 3, 4, 2, 5)
    return quads.reshape(batch, rows, columns, last)


def split(x: Array, height: int, width: int) -> Array:
    """(B, ⌈H/2⌉, ⌈W/2⌉, 4C) -> (B, H, W, C)"""
    batch, rows, columns, last = x.shape
    quads = x.reshape(batch, rows, columns, 2, 2, last // 4).transpose(0, 1, 4, 2, 3, 5)
    padded = quads.reshape(batch, 2 * rows, 2 * columns, last // 4)
    return np.ascontiguousarray(padded[:, :height, :width])
