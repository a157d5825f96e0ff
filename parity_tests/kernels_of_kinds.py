"""NumPy kernels of the other kinds for the tests of `check`: right ones, and a wrong one of each."""

import numpy as np


def bias(table, index):
    """out, and what backward needs"""
    return table[index].transpose(2, 0, 1), (table, index)


def bias_backward(dout, cache):
    table, index = cache
    total = np.zeros(table.shape)
    np.add.at(total, index, dout.transpose(1, 2, 0).astype(np.float64))
    return {"dtable": total}


def bias_of_last_pair(table, index):
    return bias(table, index)


def bias_of_last_pair_backward(dout, cache):
    table, index = cache
    total = np.zeros(table.shape)
    total[index] = dout.transpose(1, 2, 0)
    return {"dtable": total}


def bias_rounded(table, index):
    return np.nextafter(bias(table, index)[0], np.inf)


def windows(x, window_size, shift_size=(0, 0)):
    padded, shift = _sizes(x.shape[1:3], window_size, shift_size)
    padding = [(0, p - n) for p, n in zip(padded, x.shape[1:3], strict=True)]
    x = np.pad(x, [(0, 0), *padding, (0, 0)])
    return _cut(np.roll(x, [-s for s in shift], (1, 2)), window_size), (
        x.shape,
        padding,
        window_size,
        shift,
    )


def windows_backward(dout, cache):
    shape, padding, window_size, shift = cache
    dx = np.roll(_joined(dout, shape, window_size), shift, (1, 2))
    return {"dx": dx[:, : shape[1] - padding[0][1], : shape[2] - padding[1][1]]}


def windows_by_columns(x, window_size, shift_size=(0, 0)):
    out, cache = windows(x.swapaxes(1, 2), window_size[::-1], shift_size[::-1])
    return out.reshape(-1, *window_size[::-1], x.shape[3]).swapaxes(1, 2).reshape(out.shape), cache


def windows_rounded(x, window_size, shift_size=(0, 0)):
    return np.nextafter(windows(x, window_size, shift_size)[0], np.inf)


def windows_unshifted(x, window_size):
    return windows(x, window_size)


def windows_swapped(x, window_size):
    return np.asarray(windows(x, window_size[::-1])[0])


def reverse(windows, size, window_size, shift_size=(0, 0), residual=None):
    padded, shift = _sizes(size, window_size, shift_size)
    count = np.prod(padded) // np.prod(window_size)
    shape = (len(windows) // count, *padded, windows.shape[2])
    out = np.roll(_joined(windows, shape, window_size), shift, (1, 2))[:, : size[0], : size[1]]
    cache = (padded, size, window_size, shift, residual is not None)
    return out if residual is None else out + residual, cache


def reverse_backward(dout, cache):
    padded, size, window_size, shift, added = cache
    padding = [(0, p - n) for p, n in zip(padded, size, strict=True)]
    padded = np.pad(dout, [(0, 0), *padding, (0, 0)])
    dwindows = _cut(np.roll(padded, [-s for s in shift], (1, 2)), window_size)
    return {"dwindows": dwindows} | ({"dresidual": dout} if added else {})


def reverse_rounded(windows, size, window_size, shift_size=(0, 0)):
    return np.nextafter(reverse(windows, size, window_size, shift_size)[0], np.inf)


def reverse_rolled_on(windows, size, window_size, shift_size=(0, 0), residual=None):
    return reverse(windows, size, window_size, [-s for s in shift_size], residual)


reverse_rolled_on_backward = reverse_backward


def shift(size, window_size, shift_size):
    (height, width), (down, right) = _sizes(size, window_size, shift_size)
    rows, columns = np.arange(height) >= height - down, np.arange(width) >= width - right
    labels = (2 * rows[:, None] + columns)[None, :, :, None]
    labels = _cut(labels, window_size)[..., 0]
    return np.where(labels[:, :, None] == labels[:, None], 0.0, -100.0)


def shift_with_heads(size, window_size, shift_size):
    mask = shift(size, window_size, shift_size)
    return mask[:, None] if mask.any() else None


def shift_rounded(size, window_size, shift_size):
    return np.nextafter(shift(size, window_size, shift_size), np.inf, dtype=np.float64)


def shift_of_rows(size, window_size, shift_size):
    return shift(size, window_size, (shift_size[0], 0))


def bicubic(table, window_size, new_window_size, num_prefix_tokens):
    """out in float32 at least, and M"""
    old, new = ([2 * n - 1 for n in size] for size in (window_size, new_window_size))
    matrix = np.ones((1, 1), np.result_type(table, np.float32))
    for axis in zip(old, new, strict=True):
        matrix = np.kron(matrix, _interpolation(*axis, matrix.dtype))
    out = matrix @ table[: np.prod(old)]
    return np.concatenate([out, table[np.prod(old) :]]).astype(table.dtype), matrix


def bicubic_backward(dout, matrix):
    new = len(matrix)
    return np.concatenate([matrix.T @ dout[:new], dout[new:]])


def resize_swapped(table, window_size, new_window_size):
    return bicubic(table, window_size[::-1], new_window_size[::-1], 0)


resize_swapped_backward = bicubic_backward


def _interpolation(old, new, dtype):
    places = (np.arange(new, dtype=dtype) + dtype.type(0.5)) * dtype.type(old / new) - dtype.type(0.5)
    first = np.floor(places).astype(int)
    matrix = np.zeros((new, old), dtype)
    for n in (-1, 0, 1, 2):
        weights = _keys(abs(places - first - n))
        np.add.at(matrix, (np.arange(new), np.clip(first + n, 0, old - 1)), weights)
    return matrix


def _keys(x):
    near, far = (1.25 * x - 2.25) * x * x + 1, -0.75 * (((x - 5) * x + 8) * x - 4)
    return np.where(x <= 1, near, far)


def _sizes(size, window_size, shift_size):
    padded = [-(-n // w) * w for n, w in zip(size, window_size, strict=True)]
    sizes = zip(padded, window_size, shift_size, strict=True)
    return padded, [s if n > w else 0 for n, w, s in sizes]


def _cut(x, window_size):
    (batch, height, width, channels), (wh, ww) = x.shape, window_size
    x = x.reshape(batch, height // wh, wh, width // ww, ww, channels)
    return x.swapaxes(2, 3).reshape(-1, wh * ww, channels)


def _joined(windows, shape, window_size):
    (batch, height, width, channels), (wh, ww) = shape, window_size
    x = windows.reshape(batch, height // wh, width // ww, wh, ww, channels)
    return x.swapaxes(2, 3).reshape(shape)
