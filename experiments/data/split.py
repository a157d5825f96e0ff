"""Standardised images with their labels, in memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from experiments.data.plan import Plan


@dataclass(frozen=True)
class Split:
    """Standardised images (N, C, H, W) float32 and labels (N,) int64."""

    images: np.ndarray
    labels: np.ndarray

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of an image."""
        return self.images.shape[1:]

    def at(self, rows: np.ndarray) -> np.ndarray:
        """Return the images of these rows."""
        return self.images[rows]

    def part(self, rows: slice) -> "Split":
        """Return these rows as a Split."""
        return Split(self.images[rows], self.labels[rows])

    def chunks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (images, labels) in order, here all at once."""
        yield self.images, self.labels

    def read(self, plans: Iterable[Plan]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the batch (images, labels) of each plan."""
        for plan in plans:
            yield plan.finish(self.images[plan.rows], self.labels[plan.rows])


def standardise(images: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Return (images − mean) / std per channel, in place; images (N, C, H, W), mean and std (C,)."""
    images -= mean[:, None, None]
    images /= std[:, None, None]
    return images
