"""Patch merging, a token at a time on all threads; see `numpy_ref.ops.patch_merging`."""

from functools import lru_cache

from ..gate import Cache, gradient, recall
from ..ops import patch_merging as definition
from .tokens import moved, numbered, places_of


def patch_merging_forward(x):
    """out (B, ⌈H/2⌉, ⌈W/2⌉, 4C); see `numpy_ref.ops.patch_merging_forward`."""
    x = definition.checked_map(x)
    merged, _ = _places(*x.shape[1:3])
    out = moved(x, len(x), merged, definition.merged_shape(x.shape))
    return out, Cache(patch_merging_forward, x.shape, x.dtype)


def patch_merging_backward(dout, cache):
    """dx; see `numpy_ref.ops.patch_merging_backward`."""
    shape, dtype = recall(cache, patch_merging_forward)
    _, split = _places(*shape[1:3])
    dout = gradient("dout", dout, definition.merged_shape(shape), dtype)
    return moved(dout, shape[0], split, shape)


@lru_cache(maxsize=32)
def _places(height, width):
    """Where the tokens of the merged map come from, and those of the map in its gradient."""
    merged = definition.merged(numbered(1, height, width, 1))
    split = definition.split(numbered(*merged.shape), height, width)
    return places_of(merged), places_of(split)
