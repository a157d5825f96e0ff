"""Shifted windows put together again in PyTorch: rpb-check mykernel.py:reverse --kind reverse"""

import torch


def reverse(windows, size, window_size, shift_size=(0, 0), residual=None):
    """Return the map (B, H, W, C); autograd gives the gradients. Put your kernel here."""
    (height, width), (wh, ww), channels = size, window_size, windows.shape[2]
    rows, columns = -(-height // wh), -(-width // ww)  # windows along each axis
    shift = (shift_size[0] * (rows > 1), shift_size[1] * (columns > 1))  # not along one window
    x = windows.reshape(-1, rows, columns, wh, ww, channels).transpose(2, 3)
    x = x.reshape(-1, rows * wh, columns * ww, channels)
    out = torch.roll(x, shift, (1, 2))[:, :height, :width]
    return out if residual is None else out + residual
