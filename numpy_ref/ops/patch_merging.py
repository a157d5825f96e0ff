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
    (x,) = floating(x=x)
    check_shape("x", x, (None, None, None, None))
    batch, height, width, chans = x.shape
    padded = np.pad(x, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)))
    rows, columns = (height + 1) // 2, (width + 1) // 2
    quads = padded.reshape(batch, rows, 2, columns, 2, chans).transpose(0, 1, 3, 4, 2, 5)
    return quads.reshape(batch, rows, columns, 4 * chans), Cache(patch_merging_forward, x.shape, x.dtype)


def patch_merging_backward(dout: Array, cache: Cache) -> Array:
    """Return dx. Each token lies in one group of four, so this is the inverse permutation.

    dout: (B, ⌈H/2⌉, ⌈W/2⌉, 4C).
    cache: what `patch_merging_forward` returned.
    """
    (batch, height, width, chans), dtype = recall(cache, patch_merging_forward)
    rows, columns = (height + 1) // 2, (width + 1) // 2
    dout = gradient("dout", dout, (batch, rows, columns, 4 * chans), dtype)
    quads = dout.reshape(batch, rows, columns, 2, 2, chans).transpose(0, 1, 4, 2, 3, 5)
    dx = quads.reshape(batch, 2 * rows, 2 * columns, chans)
    return np.ascontiguousarray(dx[:, :height, :width])
