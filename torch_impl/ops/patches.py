"""Cut images into non-overlapping patches (ViT, arXiv 2010.11929 §3.1)."""

from torch.nn import functional


def patches(images, patch_size):
    """images (B, C, H, W) -> (B, H/ph · W/pw, C·ph·pw), patches row-major, channel first within."""
    return functional.unfold(images, patch_size, stride=patch_size).transpose(1, 2)
