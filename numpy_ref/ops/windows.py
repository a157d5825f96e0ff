"""Shifted windows: cut a map into windows, and put it together again (Swin, arXiv 2103.14030 §3.2)."""

from typing import Any, NamedTuple

import numpy as np

from ..checks import as_dtype, as_sizes, check_shape
from ..gate import Cache, floating, gradient, recall
from ..types import Array, DTypeLike, SizeLike

MASKED = -100.0  # what the originals add to the score of a pair that must not attend


class WindowReverseGrads(NamedTuple):
    """The gradients of `window_reverse_forward`'s arguments; None for a residual not given."""

    dwindows: Array
    dresidual: Array | None


def window_partition_forward(
    x: Array, window_size: SizeLike, shift_size: SizeLike = 0
) -> tuple[Array, Cache]:
    """Cut a map into windows after a cyclic shift up and to the left:
    windows[b·nW + (m, n), (i, j)] = x̃[b, (m·wh + i + sh) mod H̃, (n·ww + j + sw) mod W̃].

    x̃ (B, H̃, W̃, C) is x with zeros below and on the right, up to whole windows; nW = H̃/wh · W̃/ww.
    Along an axis with one window there is no shift, whatever `shift_size` says.

    x: (B, H, W, C).
    window_size: (wh, ww), or an int for both.
    shift_size: (sh, sw), or an int for both; in [0, wh) and [0, ww).
    Returns windows (B·nW, wh·ww, C) and the cache for `window_partition_backward`.
    Raises TypeError/ValueError naming what does not fit.
    """
    x, grid = checked_partition(x, window_size, shift_size)
    return cut(x, grid), Cache(window_partition_forward, grid, x.shape, x.dtype)


def window_partition_backward(dout: Array, cache: Cache) -> Array:
    """Return dx. Each token of x lies in one window, so this puts the windows' gradients back in place.

    dout: (B·nW, wh·ww, C).
    cache: what `window_partition_forward` returned.
    """
    grid, shape, dtype = recall(cache, window_partition_forward)
    return assembled(gradient("dout", dout, windows_shape(shape, grid), dtype), grid)


def window_reverse_forward(
    windows: Array,
    size: SizeLike,
    window_size: SizeLike,
    shift_size: SizeLike = 0,
    residual: Array | None = None,
) -> tuple[Array, Cache]:
    """Put windows together to a map, the inverse of `window_partition_forward`; tokens of padding go:
    out[b, y, x] = windows[b·nW + (m, n), (i, j)] [+ residual[b, y, x]],  where
    y = (m·wh + i + sh) mod H̃,  x = (n·ww + j + sw) mod W̃.

    windows: (B·nW, wh·ww, C).
    size: (H, W) of the map.
    window_size, shift_size: as for `window_partition_forward`.
    residual: (B, H, W, C), or None.
    Returns out (B, H, W, C) and the cache for `window_reverse_backward`.
    Raises TypeError/ValueError naming what does not fit.
    """
    windows, residual, grid, shape = checked_reverse(windows, size, window_size, shift_size, residual)
    out = assembled(windows, grid)
    if residual is not None:
        out += residual
    return out, Cache(window_reverse_forward, grid, shape, windows.dtype, residual is not None)


def window_reverse_backward(dout: Array, cache: Cache) -> WindowReverseGrads:
    """Return the gradients: dwindows is dout cut into windows, zero at the padding;  dresidual = dout.

    dout: (B, H, W, C).
    cache: what `window_reverse_forward` returned.
    """
    grid, shape, dtype, has_residual = recall(cache, window_reverse_forward)
    dout = gradient("dout", dout, shape, dtype)
    return WindowReverseGrads(cut(dout, grid), dout if has_residual else None)


def checked_partition(
    x: Array, window_size: SizeLike, shift_size: SizeLike
) -> tuple[Array, "WindowGrid"]:
    """Return the map as a plain array and its windows; raises TypeError/ValueError."""
    (x,) = floating(x=x)
    check_shape("x", x, (None, None, None, None))
    if not all(x.shape[1:3]):
        raise ValueError(f"x has shape {x.shape}, expected at least one row and one column")
    return x, window_grid(x.shape[1:3], window_size, shift_size)


def checked_reverse(
    windows: Array,
    size: SizeLike,
    window_size: SizeLike,
    shift_size: SizeLike,
    residual: Array | None,
) -> tuple[Array, Array | None, "WindowGrid", tuple[int, ...]]:
    """Return plain arrays, the windows of the map and its shape; raises TypeError/ValueError."""
    windows, residual = floating({"residual": residual}, windows=windows)
    grid = window_grid(size, window_size, shift_size)
    check_shape("windows", windows, (None, grid.window_tokens, None))
    count, _, chans = windows.shape
    if count % grid.num_windows:
        raise ValueError(
            f"windows has shape {windows.shape}, but a map of {grid.size} has {grid.num_windows} windows"
        )
    shape = (count // grid.num_windows, *grid.size, chans)
    if residual is not None:
        check_shape("residual", residual, shape)
    return windows, residual, grid, shape


def window_mask(
    size: SizeLike,
    window_size: SizeLike,
    shift_size: SizeLike = 0,
    dtype: DTypeLike | None = None,
) -> Array | None:
    """Return the mask of shifted windows: 0, or −100 for a pair that only the shift brought together.

    The shift carries the first sh rows to the bottom of the last windows, and the first sw columns to
    the right. Tokens that were carried attend only to others carried along the same axes.

    size: (H, W) of the map; window_size, shift_size: as for `window_partition_forward`.
    dtype: of the mask, float32 unless given.
    Returns (nW, 1, wh·ww, wh·ww), or None if nothing is shifted.
    """
    grid, dtype = window_grid(size, window_size, shift_size), as_dtype(dtype)
    if not any(grid.shift):
        return None
    down, right = (
        np.arange(padded).reshape(-1, window) >= padded - shift
        for padded, window, shift in zip(grid.padded, grid.window, grid.shift, strict=True)
    )  # (H̃/wh, wh), (W̃/ww, ww): whether a row or column was carried
    carried = 2 * down[:, None, :, None] + right[None, :, None, :]
    carried = carried.reshape(grid.num_windows, 1, grid.window_tokens)
    apart = carried[..., :, None] != carried[..., None, :]
    return np.where(apart, dtype.type(MASKED), dtype.type(0))


class WindowGrid(NamedTuple):
    """The windows of a map, each entry (vertical, horizontal)."""

    size: tuple[int, int]
    padded: tuple[int, int]
    window: tuple[int, int]
    shift: tuple[int, int]

    @property
    def num_windows(self) -> int:
        (height, width), (wh, ww) = self.padded, self.window
        return (height // wh) * (width // ww)

    @property
    def window_tokens(self) -> int:
        return self.window[0] * self.window[1]


def window_grid(size: Any, window_size: SizeLike, shift_size: SizeLike) -> WindowGrid:
    """Return the windows of a map of this size; along an axis with one window there is no shift.

    Raises TypeError/ValueError for an argument out of range.
    """
    height, width = as_sizes("size", size, 2)
    wh, ww = as_sizes("window_size", window_size, 2)
    sh, sw = as_shift(shift_size, (wh, ww))
    padded = -(-height // wh) * wh, -(-width // ww) * ww
    shift = (sh if padded[0] > wh else 0), (sw if padded[1] > ww else 0)
    return WindowGrid((height, width), padded, (wh, ww), shift)


def as_shift(shift_size: SizeLike, window: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shift along both axes; raises TypeError/ValueError unless each is in [0, window)."""
    sh, sw = as_sizes("shift_size", shift_size, 2, least=0)
    if sh >= window[0] or sw >= window[1]:
        raise ValueError(f"shift_size is {shift_size!r}, expected less than the window {window}")
    return sh, sw


def windows_shape(shape: tuple[int, ...], grid: WindowGrid) -> tuple[int, int, int]:
    """The shape of the windows of a map of this shape (B, H, W, C)."""
    return shape[0] * grid.num_windows, grid.window_tokens, shape[-1]


def cut(x: Array, grid: WindowGrid) -> Array:
    """(B, H, W, C) -> (B·nW, wh·ww, C)"""
    _, height, width, _ = x.shape
    padding = (0, grid.padded[0] - height), (0, grid.padded[1] - width)
    x = np.pad(x, ((0, 0), *padding, (0, 0)))
    windows = x[:, *_places(grid)]  # (B, H̃/wh, W̃/ww, wh, ww, C)
    return windows.reshape(windows_shape(x.shape, grid))


def assembled(windows: Array, grid: WindowGrid) -> Array:
    """(B·nW, wh·ww, C) -> (B, H, W, C)"""
    rows, columns = _places(grid)
    batch, chans = len(windows) // grid.num_windows, windows.shape[-1]
    x = np.empty((batch, *grid.padded, chans), windows.dtype)
    shape = np.broadcast_shapes(rows.shape, columns.shape)
    x[:, rows, columns] = windows.reshape(batch, *shape, chans)
    return np.ascontiguousarray(x[:, : grid.size[0], : grid.size[1]])


def _places(grid: WindowGrid) -> tuple[Array, Array]:
    """Return where the tokens of the windows lie in the padded map: row (H̃/wh, 1, wh, 1), column."""
    rows, columns = (
        ((np.arange(padded) + shift) % padded).reshape(-1, window)
        for padded, window, shift in zip(grid.padded, grid.window, grid.shift, strict=True)
    )
    return rows[:, None, :, None], columns[None, :, None, :]
