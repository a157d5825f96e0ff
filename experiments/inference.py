"""Classify new images with the network of a run, without its training data."""

from pathlib import Path

import numpy as np

from . import runs
from .data import standardise
from .data.folder import read_images

SLACK = 1e-3  # allowed outside [0, 1], for rounding in a resize


class Classifier:
    """A trained network with the summary of its training data.

    classes: the names of the classes. image_shape: (C, H, W).
    """

    def __init__(self, trainer, summary):
        self.trainer, self.summary = trainer, summary
        self.classes, self.image_shape = summary.classes, summary.image_shape

    def read(self, paths):
        """Read image files, resized, as (N, C, H, W) float32 in [0, 1].

        Raises FileNotFoundError or ValueError naming the file.
        """
        return read_images([Path(path) for path in paths], self.image_shape)

    def predict(self, images):
        """Return probabilities (N, number of classes), float64, of images (N, C, H, W) in [0, 1].

        Raises TypeError if the images are not numbers, ValueError for a wrong shape or range.
        """
        images = np.array(images)
        if images.dtype.kind not in "fiub":
            raise TypeError(f"images has dtype {images.dtype}, expected numbers")
        if not len(images) or images.shape[1:] != self.image_shape:
            expected = ", ".join(map(str, self.image_shape))
            raise ValueError(f"images has shape {images.shape}, expected (at least 1, {expected})")
        if not (images.min() >= -SLACK and images.max() <= 1 + SLACK):
            raise ValueError(f"images has values in [{images.min()}, {images.max()}], expected [0, 1]")
        images = standardise(images.astype(np.float32), self.summary.mean, self.summary.std)
        logits = self.trainer.predict(images).astype(np.float64)
        odds = np.exp(logits - logits.max(-1, keepdims=True))
        return odds / odds.sum(-1, keepdims=True)


def load_model(folder, backend=None, which="best"):
    """Load the Classifier of a run from its folder.

    backend: "numpy" or "torch", by default the twin that trained the run.
    which: "best" or "last", the checkpoint.
    Raises FileNotFoundError or ValueError naming the file that is missing or damaged.
    """
    run = runs.open_run(folder)
    return Classifier(runs.load(run, backend, which), run.data)
