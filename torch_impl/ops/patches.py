"""Cut images into non-overlapping patches (ViT, arXiv 2010.11929 §3.1)."""

from torch import Tensor
from torch.nn import functional

from ..checks import as_sizes
from ..gate import check_shape, floating
from ..types import SizeLike


def patches(images: Tensor, patch_size: SizeLike) -> Tensor:
    """images (B, C, H, W) -> (B, H/ph · W/pw, C·ph·pw), patches row-major, channel first within.

    Raises TypeError/ValueError, also when the image is not divisible by the patch.
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
