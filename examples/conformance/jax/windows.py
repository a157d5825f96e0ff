"""Cut a map into windows, put it together again, and the mask of shifted windows."""

import jax.numpy as jnp
import numpy as np


def pair(size):
    """Return (size, size) for an int."""
    return (size, size) if isinstance(size, int) else tuple(size)


def geometry(size, window_size, shift_size):
    """Return ((H̃, wh, sh), (W̃, ww, sw)): padded length, window and shift of each axis."""
    axes = zip(size, pair(window_size), pair(shift_size), strict=True)
    padded = [(-(-length // window) * window, window, shift) for length, window, shift in axes]
    return [(length, window, shift if length > window else 0) for length, window, shift in padded]


def windows(x, window_size, shift_size=0):
    """Pad, roll up and to the left, cut: x (B, H, W, C) -> (B·nW, wh·ww, C)."""
    batch, height, width, channels = x.shape
    (rows, wh, sh), (columns, ww, sw) = geometry((height, width), window_size, shift_size)
    x = jnp.pad(x, ((0, 0), (0, rows - height), (0, columns - width), (0, 0)))
    x = jnp.roll(x, (-sh, -sw), axis=(1, 2))
    x = x.reshape(batch, rows // wh, wh, columns // ww, ww, channels)
    return x.swapaxes(2, 3).reshape(-1, wh * ww, channels)


def reverse(windows, size, window_size, shift_size=0, residual=None):
    """Undo `windows`, (B·nW, wh·ww, C) -> (B, H, W, C), and add the residual (B, H, W, C)."""
    (rows, wh, sh), (columns, ww, sw) = geometry(size, window_size, shift_size)
    x = windows.reshape(-1, rows // wh, columns // ww, wh, ww, windows.shape[2])
    x = x.swapaxes(2, 3).reshape(-1, rows, columns, windows.shape[2])
    x = jnp.roll(x, (sh, sw), axis=(1, 2))[:, : size[0], : size[1]]
    return x if residual is None else x + residual


def shift(size, window_size, shift_size):
    """Return the mask (nW, 1, wh·ww, wh·ww) of 0 and −100, or None without a shift."""
    (rows, wh, sh), (columns, ww, sw) = geometry(size, window_size, shift_size)
    if sh == sw == 0:
        return None
    # 0 … 3 in each cell of the rolled map: carried down, carried to the right.
    carried = 2 * (np.arange(rows) >= rows - sh)[:, None] + (np.arange(columns) >= columns - sw)
    region = np.asarray(windows(carried[None, :, :, None], (wh, ww)))[..., 0]  # (nW, wh·ww)
    return np.where(region[:, None, :, None] == region[:, None, None, :], 0, -100)
