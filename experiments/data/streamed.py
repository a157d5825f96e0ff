"""A data set whose images are read when they are needed; only the names of its files are in memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from experiments.data.augmentation import augmented, erase
from experiments.data.folder import decode, path_of
from experiments.data.loader import Loader
from experiments.data.pixels import UnreadableImageError, View, upright
from experiments.data.plan import Plan
from experiments.data.split import standardise

CHUNK = 256  # images that are evaluated at a time


@dataclass(frozen=True)
class Task:
    """A batch to read: the names and labels of its images, and its plan, None for images as they are."""

    names: np.ndarray
    labels: np.ndarray
    plan: Plan | None = None


@dataclass(frozen=True)
class Reader:
    """Reads the batch of a Task; this is all that a worker process holds, whatever the number of images.

    mean, std: (C,) float32.
    """

    root: Path
    view: View
    mean: np.ndarray
    std: np.ndarray

    def __getitem__(self, task: Task):
        """Return (images, labels), or the error that names an image that cannot be read."""
        try:
            return self._read(task.names, task.labels, task.plan)
        except UnreadableImageError as error:
            return error

    def _read(self, names, labels, plan):
        if plan is None or not plan.augmentation.changes_images:
            images = standardise(decode(self.root, self.view, names), self.mean, self.std)
        else:
            images = np.empty((len(names), *self.view.shape), np.float32)
            for i, (name, row) in enumerate(zip(names, plan.rows.tolist(), strict=True)):
                images[i] = self._augmented(path_of(self.root, name), row, plan)
        return (images, labels) if plan is None else plan.finish(images, labels)

    def _augmented(self, path, row, plan):
        seeds, augmentation = (*plan.seeds, row), plan.augmentation
        with upright(path) as image:
            pixels = augmented(image, self.view, augmentation, self.mean, seeds)
        pixels = standardise(pixels, self.mean, self.std)
        return (
            erase(pixels, augmentation.random_erasing, seeds) if augmentation.random_erasing else pixels
        )


@dataclass(frozen=True)
class StreamedSplit:
    """Names (N,) of image files and labels (N,) int64; the parts of a data set share a loader."""

    loader: Loader = field(repr=False)
    names: np.ndarray
    labels: np.ndarray

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of an image."""
        return self.loader.reader.view.shape

    def part(self, rows: slice) -> "StreamedSplit":
        """Return these rows as a split."""
        return StreamedSplit(self.loader, self.names[rows], self.labels[rows])

    def at(self, rows: np.ndarray) -> np.ndarray:
        """Read the images of these rows, in this process."""
        ((images, _),) = self.loader.read_here([Task(self.names[rows], self.labels[rows])])
        return images

    def chunks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (images, labels) in order, CHUNK at a time."""
        starts = range(0, len(self.labels), CHUNK)
        return self.loader.read(
            Task(self.names[s : s + CHUNK], self.labels[s : s + CHUNK]) for s in starts
        )

    def read(self, plans: Iterable[Plan]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the batch (images, labels) of each plan."""
        return self.loader.read(Task(self.names[p.rows], self.labels[p.rows], p) for p in plans)
