"""Images of another size, by the filter that is also used for image files."""

import numpy as np
from PIL import Image


def scaled(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return images (N, C, H, W) float32 resized to `size` (H', W') with Pillow's bilinear filter."""
    if images.shape[2:] == size:
        return images
    found = np.empty((*images.shape[:2], *size), np.float32)
    for place in np.ndindex(*images.shape[:2]):
        plane = Image.fromarray(images[place])
        found[place] = plane.resize(size[::-1], Image.Resampling.BILINEAR)
    return found
