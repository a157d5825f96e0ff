"""Cut images into non-overlapping patches (ViT, arXiv 2010.11929 §3.1)."""

import numpy as np

from ..checks import as_sizes, check_shape
from ..gate import Cache, floating, gradient, recall
from ..types import Array, SizeLike


def patches_forward(images: Array, patch_size: SizeLike) -> tuple[Array, Cache]:
    """Cut the images up: out[b, y·W' + x, (c, i, j)] = images[b, c, y·ph + i, x·pw + j],  W' = W/pw.

    Patches are row-major; within a patch the channel comes first, as in a convolution's weight.

    images: (B, C, H, W).
    patch_size: (ph, pw), or an int for both.
    Returns out (B, H/ph · W/pw, C·ph·pw) and the cache for `patches_backward`.
    Raises TypeError/ValueError, also if the patch does not divide the image.
    """
    (images,) = floating(images=images)
    check_shape("images", images, (None, None, None, None))
    batch, chans, height, width = images.shape
    ph, pw = as_sizes("patch_size", patch_size, 2)
    if height % ph or width % pw:
        raise ValueError(f"images are {height}x{width}, expected multiples of the patch size {ph}x{pw}")
    grid = images.reshape(batch, chans, height // ph, ph, width // pw, pw)
    out = grid.transpose(0, 2, 4, 1, 3, 5)  # (B, H', W', C, ph, pw)
    out = out.reshape(batch, height // ph * (width // pw), chans * ph * pw)
    return out, Cache(patches_forward, images.shape, images.dtype, (ph, pw))


def patches_backward(dout: Array, cache: Cache) -> Array:
    """Return dimages. Each pixel lies in one patch, so this is the inverse permutation.

    dout: (B, H/ph · W/pw, C·ph·pw).
    cache: what `patches_forward` returned.
    """
    (batch, chans, height, width), dtype, (ph, pw) = recall(cache, patches_forward)
    rows, columns = height // ph, width // pw
    dout = gradient("dout", dout, (batch, rows * columns, chans * ph * pw), dtype)
    grid = dout.reshape(batch, rows, columns, chans, ph, pw).transpose(0, 3, 1, 4, 2, 5)
    return np.ascontiguousarray(grid).reshape(batch, chans, height, width)
