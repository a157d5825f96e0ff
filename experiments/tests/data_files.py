"""Helpers of the data tests: they write small data sets to disk."""

import gzip

import numpy as np
from hypothesis import strategies as st
from PIL import Image

PARTS = ("train", "val", "test")
SEEDS = st.integers(0, 2**32 - 1)


def splits(data):
    return [getattr(data, part) for part in PARTS]


def undo(data, split):
    """Return a split's images in [0, 1], not standardised."""
    return split.images * data.std[:, None, None] + data.mean[:, None, None]


def idx_bytes(array, dtype_code=8):
    shape = np.array(array.shape, ">u4").tobytes()
    return bytes([0, 0, dtype_code, array.ndim]) + shape + array.astype(np.uint8).tobytes()


def numbered_images(count, size=(5, 4)):
    """Return random images (count, H, W); the first pixel of each is its number."""
    images = np.random.default_rng(0).integers(0, 256, (count, *size), dtype=np.uint8)
    images[:, 0, 0] = np.arange(count)
    return images


def write_mnist(folder, joint="-", end=".gz"):
    """Write 200 training and 30 test images in 10 classes; return the four arrays."""
    pack = gzip.compress if end else bytes
    arrays_ = {
        f"train-images{joint}idx3-ubyte{end}": numbered_images(200),
        f"train-labels{joint}idx1-ubyte{end}": np.arange(200) % 10,
        f"t10k-images{joint}idx3-ubyte{end}": numbered_images(30)[::-1],
        f"t10k-labels{joint}idx1-ubyte{end}": np.arange(30) % 10,
    }
    for name, array in arrays_.items():
        (folder / name).write_bytes(pack(idx_bytes(array)))
    return list(arrays_.values())


def write_images(folder, counts, mode="L", size=(6, 4), ending="png", seed=0):
    """Write `counts[class]` random images of (H, W) `size` into each class's subfolder."""
    rng = np.random.default_rng(seed)
    bands = () if mode == "L" else (len(mode),)
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for i in range(count):
            pixels = rng.integers(0, 256, (*size, *bands), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i:03}.{ending}")
