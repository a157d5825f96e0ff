"""Cut images into non-overlapping patches (ViT, arXiv 2010.11929 §3.1)."""

from torch import Tensor
from torch.nn import functional

from ..checks import as_sizes
from ..gate import check_shape, floating
from ..types import SizeLike


def patches(images: Tensor, patch_size: SizeLike) -> Tensor:
    """Cut the images up: out[b, y·W' + x, (c, i, j)] = images[b, c, y·ph + i, x·pw + j],  W' = W/pw.

    images: (B, C, H, W).
    patch_size: (ph, pw), or an int for both.
    Returns out (B, H/ph · W/pw, C·ph·pw): patches row-major, within a patch the channel first.
    Raises TypeError/ValueError, also if the patch does not divide the image.
    """
    (images,) = floating(images=images)
    check_shape("images", images, (None, None, None, None))
    batch, chans, height, width = images.shape
    ph, pw = as_sizes("patch_size", patch_size, 2)
    if height % ph or width % pw:
        raise ValueError(f"images are {height}x{width}, expected multiples of the patch size {ph}x{pw}")
    if not images.numel():
        return images.reshape(batch, height // ph * (width // pw), chans * ph * pw)
    return functional.unfold(images, (ph, pw), stride=(ph, pw)).transpose(1, 2)
