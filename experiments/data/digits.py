"""The 1797 handwritten digits bundled with scikit-learn: 8x8 pixels, intensities 0..16."""

from pathlib import Path

import numpy as np


def load(root: str | Path | None = None):
    """Return the source `(classes, parts, decode)`, "train" only; raise ValueError if root is given."""
    if root is not None:
        raise ValueError(f"root: digits come with scikit-learn, leave it out; got {str(root)!r}")
    from sklearn.datasets import load_digits  # imported late: it takes a second

    bunch = load_digits()
    classes = tuple(str(digit) for digit in bunch.target_names)
    return classes, {"train": (bunch.images, bunch.target)}, _decode


def _decode(intensities: np.ndarray) -> np.ndarray:
    return (intensities[:, None] / 16).astype(np.float32)
