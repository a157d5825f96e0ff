"""Image classification data: standardised train, validation and test splits as NumPy arrays.

A source (`digits`, `idx`, `folder`) returns `(classes, parts, decode)`: `parts` maps "train" and,
where the source has them, "val" and "test" to `(items, labels)`; `decode(items)` gives the images
as float32 (N, C, H, W) in [0, 1]. Missing parts are held out of "train" while the items are still
cheap (bytes or paths), so that errors come before any image is decoded.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from experiments.data import digits, folder, idx, moments
from experiments.data.loader import Loader
from experiments.data.pixels import FILTERS, View
from experiments.data.scaling import scaled
from experiments.data.split import Split, standardise
from experiments.data.streamed import Reader, StreamedSplit
from experiments.data.summary import Summary

__all__ = ["Dataset", "Split", "labelled_split", "load_data", "standardise"]

SOURCES = ("digits", "fashion_mnist", "mnist", "folder")
PARTS = ("train", "val", "test")
IN_MEMORY = 2**30  # bytes of images that are still kept in memory, if it is left to this module


@dataclass(frozen=True)
class Dataset:
    """Three splits; mean, std: (C,) float32, of the training images in [0, 1] unless given."""

    name: str
    classes: tuple[str, ...]
    train: Split | StreamedSplit
    val: Split | StreamedSplit
    test: Split | StreamedSplit
    mean: np.ndarray
    std: np.ndarray
    digest: str | None = None  # of a streamed data set

    @property
    def black(self) -> np.ndarray:
        """Standardised value (C,) of a pixel of zero intensity."""
        return (0 - self.mean) / self.std

    @property
    def summary(self) -> Summary:
        """The Summary of the data that a run keeps."""
        counts = {part: len(getattr(self, part).labels) for part in PARTS}
        shape = self.train.image_shape
        return Summary(self.name, self.classes, shape, self.mean, self.std, counts, self.digest)


def load_data(
    name: str,
    root: str | Path | None = None,
    val_fraction: float = 0.15,
    test_fraction: float = 0.15,
    image_size: tuple[int, int] | int | None = None,
    split_seed: int = 0,
    *,
    streaming: bool | str = False,
    workers: int = 0,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    crop_pct: float | None = None,
    interpolation: str = "bilinear",
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
    streaming: True for a folder whose images are read while they are used; "auto" for one that has an
        image_size and whose images would take more than IN_MEMORY bytes.
    workers: processes that read the images of a streamed data set.
    mean, std: per channel, in place of the training split's. Without them a streamed data set takes
        those of at most `moments.SAMPLE` training images.
    crop_pct, interpolation: of a folder's images, see `View`.

    Raises ValueError for a bad argument, a damaged file or a class too small to be split, and
    FileNotFoundError for a missing folder or file.
    """
    image_size = (image_size,) * 2 if isinstance(image_size, int) else image_size
    _check_arguments(name, val_fraction, test_fraction, image_size, split_seed)
    _check_look(name, streaming, image_size, crop_pct, interpolation)
    given = moments.given(mean, std)
    look = {"crop_pct": crop_pct, "interpolation": interpolation}
    hold_out = partial(
        _hold_out, fractions={"test": test_fraction, "val": val_fraction}, seed=split_seed
    )
    if name == "folder" and streaming and image_size is not None:
        listed = folder.listed(root)
        if streaming is True or exceeds_memory(_count(listed), image_size):
            view_of = partial(View, size=tuple(image_size), **look)
            return _streamed(listed, hold_out, view_of, given, split_seed, workers)
    channels = None if given is None else len(given[0])
    classes, parts, decode = _open_source(name, root, image_size, look | {"channels": channels})
    parts = hold_out(parts, classes=classes)
    images = {part: decode(items) for part, (items, _) in parts.items()}
    mean, std = given or moments.of_images(images["train"])
    if len(mean) != images["train"].shape[1]:
        raise ValueError(
            f"mean: expected {images['train'].shape[1]} numbers, one per channel, got {mean}"
        )
    splits = {
        part: Split(standardise(images.pop(part), mean, std), labels.astype(np.int64))
        for part, (_, labels) in parts.items()
    }
    return Dataset(name=name, classes=classes, mean=mean, std=std, **splits)


def labelled_split(root, summary, workers=0, **look) -> StreamedSplit:
    """Return the images of root/<class>/<image> with the classes, shape, mean and std of a Summary.

    workers: processes that read the images if they do not fit in memory. look: as in `View`.
    Raises ValueError naming the file or folder at fault, FileNotFoundError for a missing root.
    """
    root, names, labels = folder.labelled_images(root, summary.classes)
    channels, *size = summary.image_shape
    reader = Reader(root, View(channels, tuple(size), **look), summary.mean, summary.std)
    workers = workers if exceeds_memory(len(names), size) else 0
    return StreamedSplit(Loader(reader, workers), names, labels)


def exceeds_memory(count: int, image_size: tuple[int, int]) -> bool:
    """Return whether so many RGB images of (H, W) take more than IN_MEMORY bytes as float32."""
    return 4 * 3 * math.prod(image_size) * count > IN_MEMORY


def _streamed(listed, hold_out, view_of, given, seed, workers):
    root, classes, parts = listed
    held = hold_out(parts, classes=classes)
    if given is None:
        view, (mean, std) = moments.of_files(root, held["train"][0], view_of, seed)
    else:
        (mean, std), view = given, view_of(len(given[0]))
    loader = Loader(Reader(root, view, mean, std), workers)
    splits = {
        part: StreamedSplit(loader, names, y.astype(np.int64)) for part, (names, y) in held.items()
    }
    digest = folder.digest(root, parts)
    return Dataset("folder", classes, mean=mean, std=std, digest=digest, **splits)


def _count(listed) -> int:
    return sum(len(labels) for _, labels in listed[2].values())


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


def _check_look(name, streaming, image_size, crop_pct, interpolation):
    if crop_pct is not None and not 0 < crop_pct <= 1:
        raise ValueError(f"crop_pct: expected a number in (0, 1], got {crop_pct}")
    if interpolation not in FILTERS:
        raise ValueError(f"interpolation: expected one of {', '.join(FILTERS)}; got {interpolation!r}")
    if name != "folder" and (streaming is True or crop_pct or interpolation != "bilinear"):
        raise ValueError(
            f"streaming, crop_pct, interpolation: only for a folder's images, not for {name}"
        )
    if image_size is None and (streaming is True or crop_pct):
        raise ValueError("image_size: needed with streaming and with crop_pct, got None")


def _open_source(name: str, root: str | Path | None, image_size: tuple[int, int] | None, look: dict):
    if name == "folder":  # its images may differ in size, so they are resized one by one
        return folder.load(root, image_size, **look)
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
