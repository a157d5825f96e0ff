"""Images as `experiments.inference.read` makes them, beside timm's transform for evaluation."""

import numpy as np
import pytest
from PIL import Image

from experiments.data.folder import read_images
from experiments.data.pixels import View

from ._import import original

data = original("timm.data")
WEIGHTS = 1.5  # no filter's weights of one pixel have a larger sum of absolute values
BYTES = (WEIGHTS / 2 + 1 / 2) / 255  # timm rounds to bytes after each of the two passes, here nothing is

# (H, W) of image and result, crop_pct: timm needs no rounding to whole pixels for these.
SIZES = [
    ((256, 256), (224, 224), 0.875),
    ((512, 640), (224, 224), 0.875),
    ((192, 128), (224, 224), 0.875),
    ((224, 300), (224, 224), 1.0),
    ((480, 640), (192, 256), 0.8),
]


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("given", "size", "crop_pct"), SIZES)
def test_timm_crops_and_resizes_alike(given, size, crop_pct, interpolation, tmp_path):
    grays = np.random.default_rng(0).integers(64, 192, (*given, 3), np.uint8)  # no pass leaves 0 … 255
    image = Image.fromarray(grays)
    image.save(tmp_path / "image.png")
    (ours,) = read_images([tmp_path / "image.png"], View(3, size, crop_pct, interpolation))
    look = {"crop_pct": crop_pct, "interpolation": interpolation}
    transform = data.create_transform((3, *size), mean=(0, 0, 0), std=(1, 1, 1), **look)
    assert np.abs(ours - transform(image).numpy()).max() <= BYTES
