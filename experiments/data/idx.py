"""MNIST and Fashion-MNIST from their four IDX files.

An IDX file is two zero bytes, a dtype code, the number of dimensions, each dimension as a
big-endian uint32, then the payload.
"""

import gzip
import math
import zlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np

DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
GET_FASHION_MNIST = (
    "on Debian or Ubuntu run `apt-get install dataset-fashion-mnist`, or get the four files from "
    "https://github.com/zalandoresearch/fashion-mnist and give their folder as --data.root"
)
GET_MNIST = (
    "get the four files from https://ossci-datasets.s3.amazonaws.com/mnist/ and give their folder "
    "as --data.root"
)
UNSIGNED_BYTE = 0x08
GZIP_MAGIC = b"\x1f\x8b"
LARGEST = 2**30  # bytes of images; Fashion-MNIST has 47 million


def load_fashion_mnist(root: str | Path | None = None):
    """Return the source `(classes, parts, decode)` from root, or from the Debian package's folder."""
    return _load(Path(root or DEBIAN_FASHION_MNIST), FASHION_CLASSES, GET_FASHION_MNIST)


def load_mnist(root: str | Path | None):
    """Return the source `(classes, parts, decode)` from root; raise ValueError if root is None."""
    if root is None:
        raise ValueError(f"root: mnist needs the folder of its files; {GET_MNIST}")
    return _load(Path(root), tuple("0123456789"), GET_MNIST)


def read_idx(path: Path, ndim: int) -> np.ndarray:
    """Read an IDX file of unsigned bytes, gzipped or not, as a read-only uint8 array.

    Reads or unpacks at most one byte more than the header promises.
    Raises ValueError naming the file if it is damaged, holds more than LARGEST bytes, or does not have
    `ndim` dimensions.
    """
    with _opened(path) as file:
        shape = _read_header(path, file, ndim)
        expected = math.prod(shape)
        if expected > LARGEST:
            raise ValueError(f"{path}: {shape} is {expected} bytes, expected at most {LARGEST}")
        content = file.read(expected + 1)
    if len(content) < expected:
        raise ValueError(f"{path}: truncated, expected {expected} bytes for {shape}, got {len(content)}")
    if len(content) > expected:
        raise ValueError(f"{path}: trailing bytes, expected {expected} bytes for {shape}, got more")
    return np.frombuffer(content, np.uint8).reshape(shape)


@contextmanager
def _opened(path: Path):
    with open(path, "rb") as file:
        zipped = file.peek(2).startswith(GZIP_MAGIC)
        try:
            yield gzip.GzipFile(fileobj=file) if zipped else file
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(f"{path}: damaged gzip file ({error})") from error


def _read_header(path: Path, file, ndim: int) -> tuple[int, ...]:
    """Read the header and return the shape, of `ndim` dimensions."""
    start = file.read(4)
    if len(start) < 4 or start[:2] != b"\0\0":
        raise ValueError(f"{path}: expected an IDX file, which begins 00 00; {_start(start)}")
    if start[2] != UNSIGNED_BYTE:
        raise ValueError(f"{path}: expected dtype code 0x08 (bytes), got 0x{start[2]:02x}")
    if start[3] != ndim:
        raise ValueError(f"{path}: expected {ndim} dimensions, got {start[3]}")
    sizes = file.read(4 * ndim)
    if len(sizes) < 4 * ndim:
        raise ValueError(f"{path}: truncated, {4 + len(sizes)} bytes of a {4 + 4 * ndim}-byte header")
    return tuple(np.frombuffer(sizes, ">u4").tolist())


def _start(content: bytes) -> str:
    return f"got {len(content)} bytes, beginning {content.hex(' ') or 'with nothing'}"


def _load(folder: Path, classes: tuple[str, ...], how_to_get: str):
    paths = {
        part: (
            _find(folder, f"{prefix}-images", "idx3-ubyte", how_to_get),
            _find(folder, f"{prefix}-labels", "idx1-ubyte", how_to_get),
        )
        for part, prefix in (("train", "train"), ("test", "t10k"))
    }
    parts = {part: _read_pair(*pair, len(classes)) for part, pair in paths.items()}
    train_size, test_size = (parts[part][0].shape[1:] for part in ("train", "test"))
    if test_size != train_size:
        raise ValueError(
            f"{paths['test'][0]}: expected the training images' size {train_size}, got {test_size}"
        )
    return classes, parts, _decode


def _find(folder: Path, stem: str, kind: str, how_to_get: str) -> Path:
    names = [f"{stem}{joint}{kind}{end}" for joint in "-." for end in ("", ".gz")]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"{folder}: none of {', '.join(names)} is there; {how_to_get}")


def _read_pair(images_path: Path, labels_path: Path, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Read images (N, H, W) and labels (N,), both uint8."""
    images, labels = read_idx(images_path, ndim=3), read_idx(labels_path, ndim=1)
    if images.size == 0:
        raise ValueError(f"{images_path}: expected images, got the empty shape {images.shape}")
    if len(images) != len(labels):
        raise ValueError(
            f"{labels_path}: expected {len(images)} labels, one for each image of {images_path}, "
            f"got {len(labels)}"
        )
    if labels.max() >= classes:
        first = int(np.argmax(labels >= classes))
        raise ValueError(
            f"{labels_path}: expected labels 0..{classes - 1}, got {labels[first]} at index {first}"
        )
    return images, labels


def _decode(bytes_: np.ndarray) -> np.ndarray:
    return np.divide(bytes_[:, None], 255, dtype=np.float32)
