"""The indices, coordinates and masks that other libraries store beside their tables."""

import numpy as np


def rows(window):
    """Return the number of offsets in a window (height, width)."""
    return (2 * window[0] - 1) * (2 * window[1] - 1)


def of_rows(name, number, prefix_rows=0, window=None):
    """Return the window (height, width) of a table with this number of rows, a square unless given.

    Raises ValueError if no window, or not this one, has so many.
    """
    if window is None:
        side = (int(np.sqrt(max(number - prefix_rows, 0))) + 1) // 2
        expected, window = "(2w - 1)(2w - 1) of a square", (side, side)
    else:
        expected = f"the {rows(window) + prefix_rows} of {text(window)}"
    if number != rows(window) + prefix_rows:
        more = f" and {prefix_rows} of a class token" if prefix_rows and "(2w" in expected else ""
        raise ValueError(f"{name} has {number} rows, expected {expected}{more}: give its window_size")
    return tuple(window)


def text(size):
    return "x".join(map(str, size))


def index(window):
    """Return the row that query i and key j read, (N, N) int64: offset i − j, row by row."""
    height, width = window
    places = np.indices(window).reshape(2, -1)
    dy, dx = places[:, :, None] - places[:, None, :]
    return (dy + height - 1) * (2 * width - 1) + dx + width - 1


def index_with_class_token(window):
    """Return BEiT's index, (1 + N, 1 + N).

    Three more rows: class token to patch, patch to class token, class token to itself.
    """
    whole = np.pad(index(window), ((1, 0), (1, 0)))
    whole[0, :], whole[:, 0], whole[0, 0] = rows(window) + np.arange(3)
    return whole


def log_coordinates(window, pretrained, dtype=np.float32):
    """Return Swin V2's table of coordinates, (1, 2h − 1, 2w − 1, 2).

    sign(x) · log2(1 + |x|) / 3 with x = 8 · offset / (pretrained − 1), in the order that the originals
    compute it: their float32 is met but for the last bit of some logarithms.
    """
    axes = [
        np.arange(-(length - 1), length, dtype=dtype) / max(of - 1, 1)
        for length, of in zip(window, pretrained, strict=True)
    ]
    scaled = np.stack(np.meshgrid(*axes, indexing="ij"), -1)[None] * 8
    return np.sign(scaled) * np.log2(np.abs(scaled) + 1) / 3


def mlp_coordinates(window, mode):
    """Return the coordinates of timm's RelPosMlp, (2h − 1, 2w − 1, 2) float64.

    mode: "swin", as Swin V2's, or "cr": sign(x) · log(1 + |x|) of the offset x.
    """
    if mode == "swin":
        return log_coordinates(window, window, np.float64)[0]
    axes = [np.arange(1 - length, length, dtype=np.float64) for length in window]
    offsets = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    return np.sign(offsets) * np.log1p(np.abs(offsets))


def pretrained_of(table, window):
    """Return the window of pretraining that an array of coordinates was made with, from its last row."""
    largest = np.asarray(table, np.float64)[0, -1, -1]
    scaled = 2 ** (3 * largest) - 1  # 8 · (window − 1) / (pretrained − 1)
    return tuple(
        round(8 * (length - 1) / x) + 1 if x else length
        for length, x in zip(window, scaled, strict=True)
    )


def shift_mask(size, window, shift):
    """Return the mask of shifted windows, (number of windows, N, N) float32: −100 between regions.

    size: of the feature map, a multiple of the window.
    """
    regions = np.zeros(size, np.int64)
    for axis in range(2):
        past = np.arange(size[axis]) >= size[axis] - window[axis]
        wrapped = np.arange(size[axis]) >= size[axis] - shift[axis]
        part = past.astype(np.int64) + wrapped
        regions += (3 if axis == 0 else 1) * np.expand_dims(part, 1 - axis)
    height, width = window
    blocks = regions.reshape(size[0] // height, height, size[1] // width, width)
    blocks = blocks.transpose(0, 2, 1, 3).reshape(-1, height * width)
    return np.where(blocks[:, :, None] != blocks[:, None, :], np.float32(-100), np.float32(0))
