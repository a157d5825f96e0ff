"""One image file: opened with Pillow, turned upright, resized, as floats or as bytes.

Only FORMATS are opened, whatever a file is called, and none of more pixels than Pillow's limit,
89,478,485. Of an animation the first frame is taken; EXIF orientation is applied; transparency is
ignored.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
DEEP_MODES = {"I;16", "I"}  # a grayscale PNG of 16 bits, as newer and older Pillow call it
GRAY_MODES = {"1", "L", *DEEP_MODES}
ORIENTATION, TURNED = 0x0112, range(5, 9)  # the EXIF tag, and its values for a quarter turn
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


class UnreadableImageError(ValueError):
    """A file that is no image, or a damaged one; the message begins with its path."""


@dataclass(frozen=True)
class View:
    """How an image is seen: its channels (1 or 3), its size (H, W) and what is cut off.

    crop_pct: None resizes the whole image to `size`. Otherwise the image is scaled, with its own ratio
        of sides, until it covers size / crop_pct, and the middle is cut out (timm's `crop_pct`).
    interpolation: "bilinear" or "bicubic", always with antialiasing.
    """

    channels: int
    size: tuple[int, int]
    crop_pct: float | None = None
    interpolation: str = "bilinear"

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of an image."""
        return (self.channels, *self.size)

    def resized(self, image: Image.Image) -> Image.Image:
        """Return the image of this size, in its own mode."""
        height, width = self.size
        box = None if self.crop_pct is None else _middle(image, self.size, self.crop_pct)
        return image.resize((width, height), FILTERS[self.interpolation], box)


def _middle(image: Image.Image, size: tuple[int, int], crop_pct: float):
    """Return (left, top, right, bottom) of what is kept, in pixels of the image."""
    height, width = size
    scale = crop_pct * min(image.height / height, image.width / width)
    left, top = (image.width - scale * width) / 2, (image.height - scale * height) / 2
    return (
        max(left, 0),
        max(top, 0),
        min(left + scale * width, image.width),
        min(top + scale * height, image.height),
    )


def header(path: Path) -> tuple[str, tuple[int, int]]:
    """Return Pillow's mode and (H, W) of an image, without decoding it."""
    with _opened(path) as image:
        return image.mode, _upright_size(image)


@contextmanager
def upright(path: Path) -> Iterator[Image.Image]:
    """Open an image, decoded and turned as its EXIF orientation says.

    Raises UnreadableImageError, also for an error within the block.
    """
    with _opened(path) as image:
        size = _upright_size(image)
        turned = ImageOps.exif_transpose(image)
        if (turned.height, turned.width) != size:
            raise ValueError("its EXIF orientation comes after its pixels")
        yield turned


def intensities(image: Image.Image, view: View) -> np.ndarray:
    """Return float32 in [0, 1], resized: (1, H, W) if image or view is gray, else (3, H, W)."""
    white = np.float32(65535 if image.mode in DEEP_MODES else 255)
    if image.mode in GRAY_MODES:
        bands = [image]
    else:
        bands = image.convert("RGB" if view.channels == 3 else "L").split()
    # Floats keep 16-bit images exact; bicubic, unlike bilinear, can leave the range.
    planes = np.stack([view.resized(band.convert("F")) for band in bands])
    return np.clip(planes, 0, white, out=planes) / white


def in_bytes(image: Image.Image, channels: int) -> Image.Image:
    """Return the image with 8 bits per channel, in mode L for one channel and RGB for three."""
    if image.mode in DEEP_MODES:
        image = Image.fromarray(((np.asarray(image, np.int64) + 128) // 257).astype(np.uint8))
    return image.convert("RGB" if channels == 3 else "L")


def _upright_size(image: Image.Image) -> tuple[int, int]:
    """Return (H, W) after EXIF orientation, from the header; PNG's own getexif decodes the pixels."""
    turned = Image.Image.getexif(image).get(ORIENTATION) in TURNED
    return (image.width, image.height) if turned else (image.height, image.width)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    # Pillow's plugins raise OSError, SyntaxError, ValueError, struct.error and others.
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(path, formats=FORMATS)
        with image:
            yield image
    except Exception as error:
        raise UnreadableImageError(f"{path}: Pillow cannot read this image ({error})") from error
