"""Partition into shifted windows in NumPy: rpb-check mykernel.py:windows --kind windows"""

import numpy as np


def windows(x, window_size, shift_size=(0, 0)):
    """Return (out, what backward needs), out (B·nW, wh·ww, C). Put your forward kernel here."""
    batch, height, width, channels = x.shape
    (wh, ww), (down, right) = window_size, (-height % window_size[0], -width % window_size[1])
    x = np.pad(x, ((0, 0), (0, down), (0, right), (0, 0)))
    rows, columns = (height + down) // wh, (width + right) // ww  # windows along each axis
    shift = (shift_size[0] * (rows > 1), shift_size[1] * (columns > 1))  # not along one window
    x = np.roll(x, (-shift[0], -shift[1]), (1, 2))
    x = x.reshape(batch, rows, wh, columns, ww, channels).swapaxes(2, 3)
    cache = ((batch, rows, columns, wh, ww, channels), shift, (height, width))
    return x.reshape(-1, wh * ww, channels), cache


def windows_backward(dout, cache):
    """Return the gradient by name: the same moves backwards. Put your backward kernel here."""
    (batch, rows, columns, wh, ww, channels), shift, (height, width) = cache
    dx = dout.reshape(batch, rows, columns, wh, ww, channels).swapaxes(2, 3)
    dx = dx.reshape(batch, rows * wh, columns * ww, channels)
    return {"dx": np.roll(dx, shift, (1, 2))[:, :height, :width]}
