"""Cut images into non-overlapping patches (ViT, arXiv 2010.11929 §3.1)."""

from torch.nn import functional


def patches(images, patch_size):
    """images (B, C, H, W) -> (B, H/ph · W/pw, C·ph·pw), patches row-major, channel first within."""
    if any(size % p for size, p in zip(images.shape[2:], patch_size, strict=True)):
        raise ValueError(
            f"images are {images.shape[2]}x{images.shape[3]}, expected multiples of the patch size "
            f"{patch_size[0]}x{patch_size[1]}"
        )
    return functional.unfold(images, patch_size, stride=patch_size).transpose(1, 2)
