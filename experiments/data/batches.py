"""Shuffled, augmented batches of one epoch."""

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from experiments.data import Split


def batches(
    split: Split,
    batch_size: int,
    seed: int,
    epoch: int,
    max_shift: int = 0,
    flip: bool = False,
    fill: np.ndarray | None = None,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches (images (B, C, H, W), labels (B,)) of one shuffled epoch; the last may be short.

    Order and augmentation of each image depend on (seed, epoch) only, not on the batch size.
    max_shift (pixels), flip, fill (C,): see `augment`; with a shift, give `Dataset.black`.
    Raises ValueError at once, before the first batch is asked for.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size: expected at least 1, got {batch_size}")
    for argument, value in (("seed", seed), ("epoch", epoch), ("max_shift", max_shift)):
        if value < 0:
            raise ValueError(f"{argument}: expected at least 0, got {value}")
    channels = split.images.shape[1]
    if max_shift and np.shape(fill) != (channels,):
        raise ValueError(f"fill: a shift needs shape ({channels},), got {fill}")
    return _epoch(split, batch_size, np.random.default_rng([seed, epoch]), max_shift, flip, fill)


def _epoch(split, batch_size, rng, max_shift, flip, fill):
    order = rng.permutation(len(split.labels))
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        yield augment(split.images[rows], rng, max_shift, flip, fill), split.labels[rows]


def augment(
    images: np.ndarray,
    rng: np.random.Generator,
    max_shift: int,
    flip: bool,
    fill: np.ndarray | None,
) -> np.ndarray:
    """Shift each image by up to ±max_shift pixels in each axis, then mirror it with p = 1/2.

    images: (N, C, H, W). fill: (C,), the value of the pixels shifted in. Without shift and flip
    the images are returned as they are and nothing is drawn from rng.
    """
    if not (max_shift or flip):
        return images
    # One row of draws per image, so that an image's draws do not depend on the batch size.
    largest = [2 * max_shift, 2 * max_shift, int(flip)]
    top, left, mirror = rng.integers(0, largest, (len(images), 3), endpoint=True).T
    if max_shift:
        images = _crop(_pad(images, max_shift, fill), top, left, images.shape[2:])
    return np.where(mirror[:, None, None, None], images[..., ::-1], images)


def _pad(images: np.ndarray, width: int, fill: np.ndarray) -> np.ndarray:
    n, c, h, w = images.shape
    padded = np.empty((n, c, h + 2 * width, w + 2 * width), images.dtype)
    padded[:] = np.asarray(fill)[:, None, None]
    padded[..., width : width + h, width : width + w] = images
    return padded


def _crop(padded: np.ndarray, top: np.ndarray, left: np.ndarray, size: tuple[int, int]):
    windows = sliding_window_view(padded, size, axis=(2, 3))  # (N, C, tops, lefts, H, W)
    return windows[np.arange(len(padded)), :, top, left]
