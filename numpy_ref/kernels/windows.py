"""Windows of a map, a token at a time on all threads; see `numpy_ref.ops.windows`."""

from functools import lru_cache

from ..gate import Cache, gradient, recall
from ..ops import windows as definition
from .tokens import moved, numbered, places_of


def window_partition_forward(x, window_size, shift_size=0):
    """Windows (B·nW, wh·ww, C); see `numpy_ref.ops.window_partition_forward`."""
    x, grid = definition.checked_partition(x, window_size, shift_size)
    return _cut(x, grid), Cache(window_partition_forward, grid, x.shape, x.dtype)


def window_partition_backward(dout, cache):
    """dx; see `numpy_ref.ops.window_partition_backward`."""
    grid, shape, dtype = recall(cache, window_partition_forward)
    dout = gradient("dout", dout, definition.windows_shape(shape, grid), dtype)
    return _assembled(dout, grid, shape)


def window_reverse_forward(windows, size, window_size, shift_size=0, residual=None):
    """out (B, H, W, C); see `numpy_ref.ops.window_reverse_forward`."""
    given = windows, size, window_size, shift_size, residual
    windows, residual, grid, shape = definition.checked_reverse(*given)
    out = _assembled(windows, grid, shape, residual)
    return out, Cache(window_reverse_forward, grid, shape, windows.dtype, residual is not None)


def window_reverse_backward(dout, cache):
    """dwindows, dresidual; see `numpy_ref.ops.window_reverse_backward`."""
    grid, shape, dtype, has_residual = recall(cache, window_reverse_forward)
    dout = gradient("dout", dout, shape, dtype)
    return definition.WindowReverseGrads(_cut(dout, grid), dout if has_residual else None)


def _cut(x, grid):
    """(B, H, W, C) -> (B·nW, wh·ww, C)"""
    return moved(x, len(x), _places(grid)[0], definition.windows_shape(x.shape, grid))


def _assembled(windows, grid, shape, residual=None):
    """(B·nW, wh·ww, C) -> (B, H, W, C)"""
    return moved(windows, shape[0], _places(grid)[1], shape, residual)


@lru_cache(maxsize=32)
def _places(grid):
    """Where the tokens of the windows lie in the map, and those of the map in the windows."""
    cut = definition.cut(numbered(1, *grid.size, 1), grid)
    assembled = definition.assembled(numbered(*cut.shape), grid)
    return places_of(cut), places_of(assembled)
