"""Partition into shifted windows in PyTorch: rpb-check mykernel.py:windows --kind windows"""

import torch


def windows(x, window_size, shift_size=(0, 0)):
    """Return (B·nW, wh·ww, C); autograd gives dx. Put your kernel here."""
    batch, height, width, channels = x.shape
    wh, ww = window_size
    x = torch.nn.functional.pad(x, (0, 0, 0, -width % ww, 0, -height % wh))
    rows, columns = x.shape[1] // wh, x.shape[2] // ww  # windows along each axis
    shift = (-shift_size[0] * (rows > 1), -shift_size[1] * (columns > 1))  # not along one window
    x = torch.roll(x, shift, (1, 2)).reshape(batch, rows, wh, columns, ww, channels)
    return x.transpose(2, 3).reshape(-1, wh * ww, channels)
