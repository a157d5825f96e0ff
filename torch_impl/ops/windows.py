"""Shifted windows: cut a map into windows, and put it together again (Swin, arXiv 2103.14030 §3.2)."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ..checks import as_dtype, as_sizes
from ..gate import check_shape, floating
from ..types import DTypeLike, SizeLike


def window_partition(x: Tensor, window_size: SizeLike, shift_size: SizeLike = 0) -> Tensor:
    """Cut a map into windows after a cyclic shift up and to the left:
    windows[b·nW + (m, n), (i, j)] = x̃[b, (m·wh + i + sh) mod H̃, (n·ww + j + sw) mod W̃].

    x̃ (B, H̃, W̃, C) is x with zeros below and on the right, up to whole windows; nW = H̃/wh · W̃/ww.
    Along an axis with one window there is no shift, whatever `shift_size` says.

    x: (B, H, W, C).
    window_size: (wh, ww), or an int for both.
    shift_size: (sh, sw), or an int for both; in [0, wh) and [0, ww).
    Returns windows (B·nW, wh·ww, C).
    Raises TypeError/ValueError naming what does not fit.
    """
    (x,) = floating(x=x)
    check_shape("x", x, (None, None, None, None))
    if 0 in x.shape[1:3]:
        raise ValueError(f"x has shape {tuple(x.shape)}, expected at least one row and one column")
    (_, height, width, _), (wh, ww) = x.shape, as_sizes("window_size", window_size, 2)
    sh, sw = used_shift((height, width), (wh, ww), shift_size)
    x = functional.pad(x, (0, 0, 0, -width % ww, 0, -height % wh))
    x = torch.roll(x, (-sh, -sw), (1, 2)).unflatten(2, (-1, ww)).unflatten(1, (-1, wh))
    return x.transpose(2, 3).flatten(3, 4).flatten(0, 2)


def window_reverse(
    windows: Tensor,
    size: SizeLike,
    window_size: SizeLike,
    shift_size: SizeLike = 0,
    residual: Tensor | None = None,
) -> Tensor:
    """Put windows together to a map, the inverse of `window_partition`; tokens of padding go:
    out[b, y, x] = windows[b·nW + (m, n), (i, j)] [+ residual[b, y, x]],  where
    y = (m·wh + i + sh) mod H̃,  x = (n·ww + j + sw) mod W̃.

    windows: (B·nW, wh·ww, C).
    size: (H, W) of the map.
    window_size, shift_size: as for `window_partition`.
    residual: (B, H, W, C), or None.
    Returns out (B, H, W, C).
    Raises TypeError/ValueError naming what does not fit.
    """
    windows, residual = floating({"residual": residual}, windows=windows)
    (height, width), (wh, ww) = as_sizes("size", size, 2), as_sizes("window_size", window_size, 2)
    sh, sw = used_shift((height, width), (wh, ww), shift_size)
    check_shape("windows", windows, (None, wh * ww, None))
    down, across = -(-height // wh), -(-width // ww)
    if windows.shape[0] % (down * across):
        raise ValueError(
            f"windows has shape {tuple(windows.shape)}, but a map of {(height, width)} has "
            f"{down * across} windows"
        )
    batch = windows.shape[0] // (down * across)
    x = windows.reshape(batch, down, across, wh, ww, windows.shape[2]).permute(0, 1, 3, 2, 4, 5)
    x = torch.roll(x.flatten(3, 4).flatten(1, 2), (sh, sw), (1, 2))[:, :height, :width]
    if residual is None:
        return x.contiguous()
    check_shape("residual", residual, x.shape)
    return x + residual


def window_mask(
    size: SizeLike,
    window_size: SizeLike,
    shift_size: SizeLike = 0,
    dtype: DTypeLike | None = None,
    device: Any = None,
) -> Tensor | None:
    """Return the mask of shifted windows: 0, or −100 for a pair that only the shift brought together.

    A pair may attend if its tokens are less than a window apart in the map before the shift.

    size: (H, W) of the map; window_size, shift_size: as for `window_partition`.
    dtype: of the mask, float32 unless given; device: where it is made.
    Returns (nW, 1, wh·ww, wh·ww), or None if nothing is shifted.
    """
    size, window = as_sizes("size", size, 2), as_sizes("window_size", window_size, 2)
    shift, dtype = used_shift(size, window, shift_size), as_dtype(dtype)
    if not any(shift):
        return None
    axes = zip(size, window, shift, strict=True)
    y, x = (_apart(length + -length % w, w, s, device) for length, w, s in axes)
    apart = y[:, None, :, None, :, None] | x[:, None, :, None]  # (H̃/wh, W̃/ww, wh, ww, wh, ww)
    apart = apart.flatten(4).flatten(2, 3).flatten(0, 1)[:, None]
    return torch.zeros(apart.shape, dtype=dtype, device=device).masked_fill(apart, -100.0)


def _apart(length: int, window: int, shift: int, device: Any) -> Tensor:
    """Return which pairs of a window are a window apart along one axis: (length / window, w, w)."""
    places = torch.arange(length, device=device).add(shift).remainder(length)
    places = places.unflatten(0, (-1, window))
    return (places[:, :, None] - places[:, None]).abs() >= window


def used_shift(size: tuple[int, ...], window: tuple[int, ...], shift_size: SizeLike) -> tuple[int, int]:
    """Return the shift along both axes, 0 where one window covers the map."""
    sh, sw = as_shift(shift_size, window)
    return (sh if size[0] > window[0] else 0), (sw if size[1] > window[1] else 0)


def as_shift(shift_size: SizeLike, window: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shift along both axes; raises TypeError/ValueError unless each is in [0, window)."""
    shift = as_sizes("shift_size", shift_size, 2, least=0)
    if any(s >= w for s, w in zip(shift, window, strict=True)):
        raise ValueError(f"shift_size is {shift_size!r}, expected less than the window {window}")
    return shift
