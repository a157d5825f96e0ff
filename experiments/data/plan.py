"""The plan of a training batch: its rows and its random draws, made before its images are read."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from experiments.data.augmentation import NONE, Augmentation, mix


@dataclass(frozen=True)
class Plan:
    """A batch, or one process's share of it.

    rows: (B,) of the split. moves: (B, 3), see `draw_moves`, None for none.
    max_shift, fill: as in `moved`.
    seeds: (seed, epoch) of `augmentation`. start: the batch's first row of the epoch.
    neighbour: whether rows[0] only serves to be mixed into rows[1], and is dropped afterwards.
    """

    rows: np.ndarray
    moves: np.ndarray | None = None
    max_shift: int = 0
    fill: np.ndarray | None = None
    augmentation: Augmentation = NONE
    num_classes: int = 0
    seeds: tuple[int, int] = (0, 0)
    start: int = 0
    neighbour: bool = False

    def finish(self, images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the batch of standardised images (B, C, H, W): shifted, mirrored and mixed.

        The labels (B,) become shares of the classes (B, num_classes) if the images are mixed.
        """
        if self.moves is not None:
            images = moved(images, self.moves, self.max_shift, self.fill)
        if self.augmentation.mixes:
            seeds = (*self.seeds, self.start)
            images, labels = mix(images, labels, self.augmentation, self.num_classes, seeds)
        return (images[1:], labels[1:]) if self.neighbour else (images, labels)


def draw_moves(rng: np.random.Generator, count: int, max_shift: int, flip: bool) -> np.ndarray | None:
    """Draw (count, 3): top and left of each image's crop, in [0, 2·max_shift], and its mirroring.

    Without shift and flip nothing is drawn.
    """
    if not (max_shift or flip):
        return None
    # One row of draws per image, so that an image's draws do not depend on the batch size.
    largest = [2 * max_shift, 2 * max_shift, int(flip)]
    return rng.integers(0, largest, (count, 3), endpoint=True)


def moved(images: np.ndarray, moves: np.ndarray, max_shift: int, fill: np.ndarray | None) -> np.ndarray:
    """Shift each image by up to ±max_shift pixels in each axis, then mirror it, as `moves` says.

    images: (N, C, H, W). fill: (C,), the value of the pixels shifted in.
    """
    top, left, mirror = moves.T
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
