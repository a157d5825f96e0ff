"""Augmentation by torchvision's transforms, seeded by (seed, epoch, number of the image or batch).

The transforms draw from PyTorch's global generator. It is seeded for each image and each batch and put
back afterwards, so that a draw depends neither on the process that makes it nor on what came before.
"""

from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from experiments.data import vision
from experiments.data.pixels import View, in_bytes

FULL_MAGNITUDE = 10  # RandAugment's scale, as in the paper and in timm; torchvision's own has 30 steps
IMAGE, BATCH = 1, 2  # first number of a seed: for one image, or for the mixing of a batch


@dataclass(frozen=True)
class Augmentation:
    """The augmentation of training images other than shifts and flips; by default none.

    crop_scale, crop_ratio: of a random resized crop, its share of the area and its width over height.
    rand_augment: RandAugment's number of operations and magnitude, 0 to 10.
    random_erasing: the probability that a rectangle is filled with noise.
    mixup, cutmix: alpha of the Beta distribution; with both, a batch gets one of them at random.
    """

    crop_scale: tuple[float, float] | None = None
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    rand_augment: tuple[int, int] | None = None
    random_erasing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0

    @property
    def changes_images(self) -> bool:
        """Whether images are augmented one by one; only a streamed data set can do this."""
        return bool(self.crop_scale or self.rand_augment or self.random_erasing)

    @property
    def mixes(self) -> bool:
        """Whether the images of a batch are mixed."""
        return bool(self.mixup or self.cutmix)

    def check_installed(self):
        """Raise ValueError if a library that is needed cannot be imported."""
        if self.changes_images or self.mixes:
            vision.transforms()


NONE = Augmentation()


def augmented(image, view: View, augmentation: Augmentation, mean: np.ndarray, seeds) -> np.ndarray:
    """Return one upright image as (C, H, W) float32 in [0, 1], cropped and changed.

    image: of Pillow. mean: (C,), the colour of corners that a rotation leaves empty.
    seeds: (seed, epoch, row).
    """
    fill = tuple(np.rint(255 * mean).astype(int).tolist())
    with seeded(IMAGE, *seeds):
        image = in_bytes(image, view.channels)
        if augmentation.crop_scale is None:
            image = view.resized(image)
        for transform in _of_image(augmentation, view, fill):
            image = transform(image)
    pixels = np.asarray(image, np.float32).reshape(*view.size, view.channels)
    return pixels.transpose(2, 0, 1) / np.float32(255)


def erase(image: np.ndarray, probability: float, seeds) -> np.ndarray:
    """Fill a rectangle of a standardised image (C, H, W) with N(0, 1) noise, with this probability."""
    import torch

    with seeded(IMAGE, *seeds, 1):
        erasing = vision.transforms().RandomErasing(probability, value="random")
        return erasing(torch.from_numpy(image)).numpy()


def mix(images: np.ndarray, labels: np.ndarray, augmentation: Augmentation, num_classes: int, seeds):
    """Mix each image (N, C, H, W) with the one before it, the first with the last.

    labels: integers (N,). seeds: (seed, epoch, first row of the batch).
    Returns the images and float32 (N, num_classes), the share of each class. What is drawn does not
    depend on N.
    """
    if not len(labels):
        return images, np.zeros((0, num_classes), np.float32)
    import torch

    with seeded(BATCH, *seeds):
        choice = _of_batch(augmentation, num_classes)
        images, shares = choice(torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64)))
    return images.numpy(), shares.numpy()


@contextmanager
def seeded(*seeds):
    """Seed PyTorch's global generator of the CPU from these integers for the block."""
    import torch

    word = np.random.SeedSequence(seeds).generate_state(1, np.uint64)[0]
    before = torch.default_generator.get_state()
    torch.default_generator.manual_seed(int(word >> np.uint64(1)))
    try:
        yield
    finally:
        torch.default_generator.set_state(before)


@lru_cache(maxsize=8)
def _of_image(augmentation: Augmentation, view: View, fill: tuple[int, ...]) -> list:
    v2 = vision.transforms()
    filter_ = v2.InterpolationMode(view.interpolation)
    found = []
    if augmentation.crop_scale is not None:
        scale, ratio = augmentation.crop_scale, augmentation.crop_ratio
        found.append(v2.RandomResizedCrop(view.size, scale, ratio, filter_))
    if augmentation.rand_augment is not None:
        count, magnitude = augmentation.rand_augment
        bins = FULL_MAGNITUDE + 1
        found.append(v2.RandAugment(count, magnitude, bins, filter_, list(fill)))
    return found


@lru_cache(maxsize=8)
def _of_batch(augmentation: Augmentation, num_classes: int):
    v2 = vision.transforms()
    found = []
    if augmentation.mixup:
        found.append(v2.MixUp(alpha=augmentation.mixup, num_classes=num_classes))
    if augmentation.cutmix:
        found.append(v2.CutMix(alpha=augmentation.cutmix, num_classes=num_classes))
    return v2.RandomChoice(found)
