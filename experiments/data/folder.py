"""Images in class subfolders, read with Pillow.

Either root/<class>/<image>, or root/train/<class>/<image> with root/val and root/test alike where
they exist. Hidden files and files with other endings are ignored; of an animation the first frame
is taken; EXIF orientation is applied; transparency is ignored. Only the formats with these endings are
opened, whatever a file is called, and none of more pixels than Pillow's limit, 89,478,485.
"""

import warnings
from collections.abc import Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from experiments.data.split import Split, standardise

ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"}
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
DEEP_MODES = {"I;16", "I"}  # a grayscale PNG of 16 bits, as newer and older Pillow call it
GRAY_MODES = {"1", "L", *DEEP_MODES}
PARTS = ("train", "val", "test")
ORIENTATION, TURNED = 0x0112, range(5, 9)  # the EXIF tag, and its values for a quarter turn


def load(root: str | Path | None, image_size: tuple[int, int] | None = None):
    """Return the source `(classes, parts, decode)`; one channel if all images are grayscale, else RGB.

    image_size: (H, W) in pixels to resize to; None expects all images to have the same size.
    Raises ValueError naming the file or folder at fault, FileNotFoundError for a missing root.
    """
    if root is None:
        raise ValueError("root: the source 'folder' needs one; give it as --data.root")
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"root: expected a folder of class subfolders, got {str(root)!r}")
    folders = _part_folders(root)
    classes = tuple(_subfolders(folders["train"]))
    if len(classes) < 2:
        raise ValueError(
            f"{folders['train']}: expected a subfolder for each of at least two classes, "
            f"got {list(classes)}"
        )
    parts = {part: _list_images(folder, classes) for part, folder in folders.items()}
    paths = [path for paths, _ in parts.values() for path in paths]
    channels, size = _scan_headers(paths, image_size)
    return classes, parts, partial(_decode, channels=channels, image_size=size)


def labelled_images(root: str | Path, summary) -> Split:
    """Read root/<class>/<image> as a Split with the classes, shape, mean and std of a Summary.

    Raises ValueError naming the file or folder at fault, FileNotFoundError for a missing root.
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"root: expected a folder of class subfolders, got {str(root)!r}")
    given = [name for name in summary.classes if name in _subfolders(root)]
    if not given:
        raise ValueError(f"{root}: expected subfolders with names of {list(summary.classes)}")
    paths, labels = _list_images(root, given, summary.classes)
    images = standardise(read_images(paths, summary.image_shape), summary.mean, summary.std)
    return Split(images, np.array([summary.classes.index(given[label]) for label in labels]))


def read_images(paths: Sequence[Path], shape: tuple[int, int, int]) -> np.ndarray:
    """Read images as (N, C, H, W) float32 in [0, 1], resized to `shape` (C, H, W).

    Raises FileNotFoundError or ValueError naming the file.
    """
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such image file")
    return _decode(paths, shape[0], shape[1:])


def _subfolders(folder: Path) -> list[str]:
    return sorted(f.name for f in folder.iterdir() if f.is_dir() and not f.name.startswith("."))


def _part_folders(root: Path) -> dict[str, Path]:
    names = _subfolders(root)
    if "train" not in names:
        return {"train": root}
    for name in names:
        if name not in PARTS:
            raise ValueError(f"{root / name}: beside 'train' expected only 'val' and 'test'")
    return {part: root / part for part in PARTS if part in names}


def _list_images(
    folder: Path, classes: Sequence[str], known: Sequence[str] | None = None
) -> tuple[list[Path], np.ndarray]:
    """Return paths and labels (N,) of the images of one part; `known`: subfolders that may exist."""
    known = known or classes
    for name in _subfolders(folder):
        if name not in known:
            raise ValueError(f"{folder / name}: expected only the training classes {list(known)}")
    files = [_image_files(folder / name) for name in classes]
    counts = [len(paths) for paths in files]
    if 0 in counts:
        empty = folder / classes[counts.index(0)]
        raise ValueError(f"{empty}: class without images; expected {', '.join(sorted(ENDINGS))}")
    return list(chain(*files)), np.repeat(np.arange(len(classes)), counts)


def _image_files(folder: Path) -> list[Path]:
    files = folder.iterdir() if folder.is_dir() else ()
    files = sorted(f for f in files if f.suffix.lower() in ENDINGS and not f.name.startswith("."))
    for path in files:
        if not path.is_file():  # opening a pipe would wait for ever
            raise ValueError(f"{path}: expected a file, but it is a pipe, a device or a folder")
    return files


def _scan_headers(
    paths: Sequence[Path], image_size: tuple[int, int] | None
) -> tuple[int, tuple[int, int]]:
    """Return the number of channels and (H, W) of all images, without decoding them."""
    modes, sizes = zip(*map(_header, paths), strict=True)
    for path, (height, width) in zip(paths, sizes, strict=True):
        if image_size is None and (height, width) != sizes[0]:
            raise ValueError(
                f"{path}: {height}x{width} (HxW), but {paths[0]} is {sizes[0][0]}x{sizes[0][1]}; "
                "give image_size to resize all images"
            )
    return (1 if GRAY_MODES.issuperset(modes) else 3), tuple(image_size or sizes[0])


def _header(path: Path) -> tuple[str, tuple[int, int]]:
    with _opened(path) as image:
        return image.mode, _upright_size(image)


def _upright_size(image: Image.Image) -> tuple[int, int]:
    """Return (H, W) after EXIF orientation, from the header; PNG's own getexif decodes the pixels."""
    turned = Image.Image.getexif(image).get(ORIENTATION) in TURNED
    return (image.width, image.height) if turned else (image.height, image.width)


@contextmanager
def _opened(path: Path):
    # Pillow's plugins raise OSError, SyntaxError, ValueError, struct.error and others.
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(path, formats=FORMATS)
        with image:
            yield image
    except Exception as error:
        raise ValueError(f"{path}: Pillow cannot read this image ({error})") from error


def _decode(paths: Sequence[Path], channels: int, image_size: tuple[int, int]) -> np.ndarray:
    images = np.empty((len(paths), channels, *image_size), np.float32)
    for i, path in enumerate(paths):
        with _opened(path) as image:
            size = _upright_size(image)
            upright = ImageOps.exif_transpose(image)
            if (upright.height, upright.width) != size:
                raise ValueError("its EXIF orientation comes after its pixels")
            images[i] = _intensities(upright, channels, image_size)
    return images


def _intensities(image: Image.Image, channels: int, image_size: tuple[int, int]) -> np.ndarray:
    """Return intensities in [0, 1]: (1, H, W) if the image is gray or channels is 1, else (3, H, W)."""
    height, width = image_size
    white = 65535 if image.mode in DEEP_MODES else 255
    if image.mode in GRAY_MODES:
        bands = [image]
    else:
        bands = image.convert("RGB" if channels == 3 else "L").split()
    # Bilinear, unlike bicubic, cannot leave the range; floats keep 16-bit images exact.
    planes = [b.convert("F").resize((width, height), Image.Resampling.BILINEAR) for b in bands]
    return np.stack(planes) / np.float32(white)
