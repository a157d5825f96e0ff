"""Images in class subfolders, read with Pillow.

Either root/<class>/<image>, or root/train/<class>/<image> with root/val and root/test alike where
they exist. Hidden files and files with other endings are ignored. See `pixels` for the images.
A file is named by its path relative to root, in an array of bytes: a million names take some 40 MB.
"""

import hashlib
import os
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from experiments.data.pixels import GRAY_MODES, View, header, intensities, upright

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
PARTS = ("train", "val", "test")


def load(root: str | Path | None, image_size=None, channels=None, **look):
    """Return the source `(classes, parts, decode)`.

    image_size: (H, W) in pixels to resize to; None expects all images to have the same size.
    channels: 1 or 3; None takes one channel if all images are grayscale, else RGB.
    look: crop_pct and interpolation, as in `View`.
    Raises ValueError naming the file or folder at fault, FileNotFoundError for a missing root.
    """
    root, classes, parts = listed(root)
    paths = [path_of(root, name) for names, _ in parts.values() for name in names]
    found, size = _scan_headers(paths, image_size)
    return classes, parts, partial(decode, root, View(channels or found, size, **look))


def listed(root: str | Path | None):
    """Return (root, classes, {part: (names (N,) of bytes, labels (N,))}), opening no image.

    Raises ValueError naming the file or folder at fault, FileNotFoundError for a missing root.
    """
    if root is None:
        raise ValueError("root: the source 'folder' needs one; give it as --data.root")
    root = _folder(root)
    folders = _part_folders(root)
    classes = tuple(_subfolders(folders["train"]))
    if len(classes) < 2:
        raise ValueError(
            f"{folders['train']}: expected a subfolder for each of at least two classes, "
            f"got {list(classes)}"
        )
    return root, classes, {part: _list_images(root, folder, classes) for part, folder in folders.items()}


def labelled_images(root: str | Path, known: Sequence[str]):
    """Return (root, names, labels) of the images in root/<class>, whose classes are some of `known`.

    Raises ValueError naming the file or folder at fault, FileNotFoundError for a missing root.
    """
    root = _folder(root)
    given = [name for name in known if name in _subfolders(root)]
    if not given:
        raise ValueError(f"{root}: expected subfolders with names of {some(known)}")
    for name in given:
        if given.count(name) > 1:
            numbers = " and ".join(str(n) for n, other in enumerate(known) if other == name)
            raise ValueError(
                f"{root / name}: classes {numbers} of the model are called {name}; only --in-order "
                "tells them apart"
            )
    names, labels = _list_images(root, root, given, known)
    return root, names, np.array([known.index(name) for name in given])[labels]


def subfolders(root: str | Path) -> list[str]:
    """Return the names of the subfolders, sorted; raises FileNotFoundError for a missing root."""
    return _subfolders(_folder(root))


def read_images(paths: Sequence[Path], view: View) -> np.ndarray:
    """Read images as (N, C, H, W) float32 in [0, 1].

    Raises FileNotFoundError or ValueError naming the file.
    """
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such image file")
    return _decoded(paths, view)


def decode(root: Path, view: View, names: Iterable[bytes]) -> np.ndarray:
    """Read the images of these names as (N, C, H, W) float32 in [0, 1]; raises ValueError."""
    return _decoded([path_of(root, name) for name in names], view)


def path_of(root: Path, name: bytes) -> Path:
    return root / os.fsdecode(name)


def digest(root: Path, parts) -> str:
    """Return the SHA-256 of the names and the sizes in bytes of all images; no file is opened."""
    found = hashlib.sha256()
    for names, _ in parts.values():
        for name in names:
            found.update(b"%s\0%d\0" % (name, path_of(root, name).stat().st_size))
    return found.hexdigest()


def _folder(root: str | Path) -> Path:
    if not Path(root).is_dir():
        raise FileNotFoundError(f"root: expected a folder of class subfolders, got {str(root)!r}")
    return Path(root)


def some(names: Sequence[str]) -> str:
    """Return the names as a text, ten at most."""
    return ", ".join(names[:10]) + (f", … ({len(names)} in all)" if len(names) > 10 else "")


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


def _list_images(root: Path, folder: Path, classes: Sequence[str], known: Sequence[str] | None = None):
    """Return names and labels (N,) of the images of one part; `known`: subfolders that may exist."""
    known = known or classes
    for name in _subfolders(folder):
        if name not in known:
            raise ValueError(f"{folder / name}: expected only the training classes {some(known)}")
    names = [_image_names(root, folder / name) for name in classes]
    counts = [len(found) for found in names]
    if 0 in counts:
        empty = folder / classes[counts.index(0)]
        raise ValueError(f"{empty}: class without images; expected {', '.join(sorted(ENDINGS))}")
    return np.concatenate(names), np.repeat(np.arange(len(classes)), counts)


def _image_names(root: Path, folder: Path) -> np.ndarray:
    entries = os.scandir(folder) if folder.is_dir() else ()
    files = [e for e in entries if e.name.lower().endswith(ENDINGS) and not e.name.startswith(".")]
    for file in files:
        if not file.is_file():  # opening a pipe would wait for ever
            raise ValueError(f"{file.path}: expected a file, but it is a pipe, a device or a folder")
    start = str(folder.relative_to(root))
    return np.array([os.fsencode(f"{start}/{name}") for name in sorted(f.name for f in files)], bytes)


def _scan_headers(
    paths: Sequence[Path], image_size: tuple[int, int] | None
) -> tuple[int, tuple[int, int]]:
    """Return the number of channels and (H, W) of all images, without decoding them."""
    modes, sizes = zip(*map(header, paths), strict=True)
    for path, (height, width) in zip(paths, sizes, strict=True):
        if image_size is None and (height, width) != sizes[0]:
            raise ValueError(
                f"{path}: {height}x{width} (HxW), but {paths[0]} is {sizes[0][0]}x{sizes[0][1]}; "
                "give image_size to resize all images"
            )
    return channels_of(modes), tuple(image_size or sizes[0])


def channels_of(modes: Iterable[str]) -> int:
    """Return 1 if all these modes of images are grayscale, else 3."""
    return 1 if GRAY_MODES.issuperset(modes) else 3


def _decoded(paths: Sequence[Path], view: View) -> np.ndarray:
    images = np.empty((len(paths), *view.shape), np.float32)
    for i, path in enumerate(paths):
        with upright(path) as image:
            images[i] = intensities(image, view)
    return images
