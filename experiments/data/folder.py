"""Images in class subfolders, read with Pillow.

Either root/<class>/<image>, or root/train/<class>/<image> with root/val and root/test alike where
they exist. Hidden files and files with other endings are ignored; of an animation the first frame
is taken; transparency and EXIF rotation are ignored.
"""

from collections.abc import Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import Image

ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"}
GRAY_MODES = {"1", "L", "I;16"}
PARTS = ("train", "val", "test")


def load(root: str | Path | None, image_size: tuple[int, int] | None = None):
    """Source `(classes, parts, decode)`; one channel if every image is grayscale, else RGB.

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


def _list_images(folder: Path, classes: Sequence[str]) -> tuple[list[Path], np.ndarray]:
    """Paths and labels (N,) of the images of one part."""
    for name in _subfolders(folder):
        if name not in classes:
            raise ValueError(f"{folder / name}: expected only the training classes {list(classes)}")
    files = [_image_files(folder / name) for name in classes]
    counts = [len(paths) for paths in files]
    if 0 in counts:
        empty = folder / classes[counts.index(0)]
        raise ValueError(f"{empty}: class without images; expected {', '.join(sorted(ENDINGS))}")
    return list(chain(*files)), np.repeat(np.arange(len(classes)), counts)


def _image_files(folder: Path) -> list[Path]:
    files = folder.iterdir() if folder.is_dir() else ()
    return sorted(f for f in files if f.suffix.lower() in ENDINGS and not f.name.startswith("."))


def _scan_headers(
    paths: Sequence[Path], image_size: tuple[int, int] | None
) -> tuple[int, tuple[int, int]]:
    """Number of channels and (H, W) of all images, without decoding them."""
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
        return image.mode, (image.height, image.width)


@contextmanager
def _opened(path: Path):
    # Pillow's plugins raise OSError, SyntaxError, ValueError, struct.error and others.
    try:
        with Image.open(path) as image:
            yield image
    except Exception as error:
        raise ValueError(f"{path}: Pillow cannot read this image ({error})") from error


def _decode(paths: Sequence[Path], channels: int, image_size: tuple[int, int]) -> np.ndarray:
    images = np.empty((len(paths), channels, *image_size), np.float32)
    for i, path in enumerate(paths):
        with _opened(path) as image:
            images[i] = _intensities(image, image_size)
    return images


def _intensities(image: Image.Image, image_size: tuple[int, int]) -> np.ndarray:
    """Intensities in [0, 1], shape (1, H, W) for a grayscale image, else (3, H, W)."""
    height, width = image_size
    white = 65535 if image.mode == "I;16" else 255
    bands = [image] if image.mode in GRAY_MODES else image.convert("RGB").split()
    # Bilinear, unlike bicubic, cannot leave the range; floats keep 16-bit images exact.
    planes = [b.convert("F").resize((width, height), Image.Resampling.BILINEAR) for b in bands]
    return np.stack(planes) / np.float32(white)
