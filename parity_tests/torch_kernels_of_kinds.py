"""PyTorch kernels of the other kinds for the tests of `check`: autograd differentiates them."""

import torch
from torch.nn import functional


def bias(table, index):
    return table.double()[index].permute(2, 0, 1).to(table.dtype)


def windows(x, window_size, shift_size=(0, 0)):
    (wh, ww), (height, width) = window_size, x.shape[1:3]
    x = functional.pad(x, (0, 0, 0, -width % ww, 0, -height % wh))
    shift = [-s if n > w else 0 for s, n, w in zip(shift_size, x.shape[1:3], window_size, strict=True)]
    return torch.roll(x, shift, (1, 2)).unfold(1, wh, wh).unfold(2, ww, ww).flatten(4).flatten(0, 2).mT


def reverse(windows, size, window_size, shift_size=(0, 0), residual=None):
    (height, width), (wh, ww) = size, window_size
    down, across = -(-height // wh), -(-width // ww)
    x = windows.unflatten(1, (wh, ww)).unflatten(0, (-1, down, across)).transpose(2, 3)
    shift = [s if n > 1 else 0 for s, n in zip(shift_size, (down, across), strict=True)]
    x = torch.roll(x.flatten(3, 4).flatten(1, 2), shift, (1, 2))[:, :height, :width]
    return x if residual is None else x + residual


def shift(size, window_size, shift_size):
    (wh, ww), padded = window_size, [-(-n // w) * w for n, w in zip(size, window_size, strict=True)]
    labels = torch.zeros(padded)
    for axis, (n, w, s) in enumerate(zip(padded, window_size, shift_size, strict=True)):
        if s and n > w:
            labels.narrow(axis, n - s, s).add_(axis + 1)
    labels = labels.unfold(0, wh, wh).unfold(1, ww, ww).flatten(2).flatten(0, 1)
    return -100.0 * (labels[:, None, :, None] != labels[:, None, None])


def resize(table, window_size, new_window_size, num_prefix_tokens=0):
    """Bicubic, axis by axis."""
    old, new = ([2 * n - 1 for n in size] for size in (window_size, new_window_size))
    count = torch.Size(old).numel()
    grid = table[:count].unflatten(0, old)
    for axis, size in enumerate(new):
        rows = grid.movedim(axis, -1)
        flat = rows.reshape(1, -1, 1, rows.shape[-1])
        flat = functional.interpolate(flat, (1, size), mode="bicubic", align_corners=False)
        grid = flat.reshape(*rows.shape[:-1], size).movedim(-1, axis)
    return torch.cat([grid.reshape(-1, table.shape[1]), table[count:]])
