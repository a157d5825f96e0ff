"""Mean and standard deviation per channel: of images, of a sample of files, or given."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.data.folder import channels_of, decode, path_of
from experiments.data.pixels import View, header

SAMPLE = 4096  # training images of a streamed data set that are looked at
AT_A_TIME = 64

Moments = tuple[np.ndarray, np.ndarray]


def of_images(images: np.ndarray) -> Moments:
    """Mean and std (C,) float32 of (N, C, H, W); the std of a constant channel counts as 1."""
    mean = images.mean(axis=(0, 2, 3), dtype=np.float64).astype(np.float32)
    deviation = images - mean[:, None, None]
    # einsum widens in small buffers, where images.std would hold a float64 copy of all images
    squares = np.einsum("nchw,nchw->c", deviation, deviation, dtype=np.float64)
    return mean, _std(squares * len(mean) / images.size)


def given(mean: Sequence[float] | None, std: Sequence[float] | None) -> Moments | None:
    """Return both as float32 arrays, None if neither is given; raise ValueError for bad ones."""
    if mean is None and std is None:
        return None
    if mean is None or std is None or len(mean) != len(std) or len(mean) not in (1, 3):
        raise ValueError(f"mean, std: expected both, each with 1 or 3 numbers, got {mean} and {std}")
    if not np.isfinite([*mean, *std]).all() or min(std) <= 0:
        raise ValueError(f"mean, std: expected finite numbers, std positive, got {mean} and {std}")
    return np.array(mean, np.float32), np.array(std, np.float32)


def of_files(root: Path, names: np.ndarray, view_of, seed: int) -> tuple[View, Moments]:
    """Return the View and the moments of at most SAMPLE of these images, drawn by the seed.

    view_of(channels): the View; there is one channel if all of the sample is grayscale.
    """
    if len(names) > SAMPLE:
        chosen = np.random.default_rng(seed).choice(len(names), SAMPLE, replace=False)
        names = names[np.sort(chosen)]
    view = view_of(channels_of(header(path_of(root, name))[0] for name in names))
    count, sums, squares = len(names) * np.prod(view.size), 0.0, 0.0
    for start in range(0, len(names), AT_A_TIME):
        images = decode(root, view, names[start : start + AT_A_TIME]).astype(np.float64)
        sums = sums + images.sum(axis=(0, 2, 3))
        squares = squares + np.square(images).sum(axis=(0, 2, 3))
    mean = sums / count
    return view, (mean.astype(np.float32), _std(np.maximum(squares / count - mean**2, 0)))


def _std(variance: np.ndarray) -> np.ndarray:
    std = np.sqrt(variance).astype(np.float32)
    return np.where(std > 0, std, np.float32(1))
