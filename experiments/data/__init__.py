"""Image classification data: standardised train, validation and test splits as NumPy arrays.

A source (`digits`, `idx`, `folder`) returns `(classes, parts, decode)`: `parts` maps "train" and,
where the source has them, "val" and "test" to `(items, labels)`; `decode(items)` gives the images
as float32 (N, C, H, W) in [0, 1]. Missing parts are held out of "train" while the items are still
cheap (bytes or paths), so that errors come before any image is decoded.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.data import digits, folder, idx
from experiments.data.scaling import scaled
from experiments.data.split import Split, standardise
from experiments.data.summary import Summary

__all__ = ["Dataset", "Split", "load_data", "standardise"]

SOURCES = ("digits", "fashion_mnist", "mnist", "folder")
PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class Dataset:
    """Three splits; mean and std (C,) float32 are those of the training images in [0, 1]."""

    name: str
    classes: tuple[str, ...]
    train: Split
    val: Split
    test: Split
    mean: np.ndarray
    std: np.ndarray

    @property
    def black(self) -> np.ndarray:
        """Standardised value (C,) of a pixel of zero intensity."""
        return (0 - self.mean) / self.std

    @property
    def summary(self) -> Summary:
        """The Summary of the data that a run keeps."""
        counts = {part: len(getattr(self, part).labels) for part in PARTS}
        shape = self.train.images.shape[1:]
        return Summary(self.name, self.classes, shape, self.mean, self.std, counts)


def load_data(
    name: str,
    root: str | Path | None = None,
    val_fraction: float = 0.15,
    test_fraction: float = 0.15,
    image_size: tuple[int, int] | int | None = None,
    split_seed: int = 0,
) -> Dataset:
    """Load a data set and standardise it with the training split's per-channel mean and std.

    name: "digits" (bundled with scikit-learn, 8x8), "fashion_mnist", "mnist" or "folder".
    root: the folder with the files; None for digits, optional for fashion_mnist.
    val_fraction, test_fraction: shares of the given training images, held out stratified by class;
        each is unused where the source brings that split itself. So test_fraction is unused for
        fashion_mnist and mnist, whose test split is the official test file.
    image_size: (H, W) in pixels that the images are resized to, or one number for both; their own size
        unless given.
    split_seed: the split depends on this seed only.

    Raises ValueError for a bad argument, a damaged file or a class too small to be split, and
    FileNotFoundError for a missing folder or file.
    """
    image_size = (image_size,) * 2 if isinstance(image_size, int) else image_size
    _check_arguments(name, val_fraction, test_fraction, image_size, split_seed)
    classes, parts, decode = _open_source(name, root, image_size)
    fractions = {"test": test_fraction, "val": val_fraction}
    parts = _hold_out(parts, fractions, classes, split_seed)
    images = {part: decode(items) for part, (items, _) in parts.items()}
    mean, std = _moments(images["train"])
    splits = {
        part: Split(standardise(images.pop(part), mean, std), labels.astype(np.int64))
        for part, (_, labels) in parts.items()
    }
    return Dataset(name=name, classes=classes, mean=mean, std=std, **splits)


def _check_arguments(name, val_fraction, test_fraction, image_size, split_seed):
    if name not in SOURCES:
        raise ValueError(f"name: expected one of {', '.join(SOURCES)}; got {name!r}")
    for argument, fraction in (("val_fraction", val_fraction), ("test_fraction", test_fraction)):
        if not 0 < fraction < 1:
            raise ValueError(f"{argument}: expected a number between 0 and 1, got {fraction}")
    if image_size is not None and (len(image_size) != 2 or min(image_size) < 1):
        raise ValueError(f"image_size: expected a positive (H, W), got {image_size}")
    if not 0 <= split_seed < 2**32:
        raise ValueError(f"split_seed: expected an integer in [0, 2**32), got {split_seed}")


def _open_source(name: str, root: str | Path | None, image_size: tuple[int, int] | None):
    if name == "folder":  # its images may differ in size, so they are resized one by one
        return folder.load(root, image_size)
    sources = {"digits": digits.load, "fashion_mnist": idx.load_fashion_mnist, "mnist": idx.load_mnist}
    classes, parts, decode = sources[name](root)
    if image_size is None:
        return classes, parts, decode
    return classes, parts, lambda items: scaled(decode(items), image_size)


def _hold_out(parts: dict, fractions: dict[str, float], classes: Sequence[str], seed: int) -> dict:
    """Hold the parts that are missing out of "train"; all shares are of the train part given."""
    from sklearn.model_selection import train_test_split  # imported late: it takes a second

    missing = [part for part in fractions if part not in parts]
    if sum(fractions[part] for part in missing) >= 1:
        raise ValueError(
            f"val_fraction + test_fraction: expected less than 1, got {sum(fractions.values())}"
        )
    (items, labels), parts = parts["train"], dict(parts)
    total = len(labels)
    for part in missing:
        count = math.ceil(fractions[part] * total)
        _check_class_counts(labels, count, classes, part)
        items, held_items, labels, held_labels = train_test_split(
            items, labels, test_size=count, stratify=labels, random_state=seed
        )
        parts[part] = (held_items, held_labels)
    return parts | {"train": (items, labels)}


def _check_class_counts(labels: np.ndarray, count: int, classes: Sequence[str], part: str):
    # A stratified split gives each class its exact share rounded down or up.
    counts = np.bincount(labels, minlength=len(classes))
    rarest = counts.argmin()
    held = counts[rarest] * count / len(labels)
    if min(held, counts[rarest] - held) < 1:
        raise ValueError(
            f"class {classes[rarest]!r}: {counts[rarest]} images are too few to hold out {count} "
            f"of {len(labels)} for the {part} split, since each split needs at least one image of "
            f"each class; add images or change {part}_fraction"
        )


def _moments(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and std (C,) float32 of (N, C, H, W); the std of a constant channel counts as 1."""
    mean = images.mean(axis=(0, 2, 3), dtype=np.float64).astype(np.float32)
    deviation = images - mean[:, None, None]
    # einsum widens in small buffers, where images.std would hold a float64 copy of all images
    squares = np.einsum("nchw,nchw->c", deviation, deviation, dtype=np.float64)
    std = np.sqrt(squares * len(mean) / images.size).astype(np.float32)
    return mean, np.where(std > 0, std, np.float32(1))
