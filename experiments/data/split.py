"""Standardised images with their labels."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Split:
    """Standardised images (N, C, H, W) float32 and labels (N,) int64."""

    images: np.ndarray
    labels: np.ndarray

    def part(self, rows: slice) -> "Split":
        """Return these rows as a Split."""
        return Split(self.images[rows], self.labels[rows])


def standardise(images: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Return (images − mean) / std per channel, in place; images (N, C, H, W), mean and std (C,)."""
    images -= mean[:, None, None]
    images /= std[:, None, None]
    return images
