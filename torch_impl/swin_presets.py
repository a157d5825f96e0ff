"""The usual Swin Transformers under timm's names: arguments of SwinTransformer."""

from typing import Any

SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"embed_dim": 96, "depths": (2, 2, 6, 2), "num_heads": (3, 6, 12, 24)},
    "small": {"embed_dim": 96, "depths": (2, 2, 18, 2), "num_heads": (3, 6, 12, 24)},
    "base": {"embed_dim": 128, "depths": (2, 2, 18, 2), "num_heads": (4, 8, 16, 32)},
    "large": {"embed_dim": 192, "depths": (2, 2, 18, 2), "num_heads": (6, 12, 24, 48)},
}
V1: dict[str, tuple[int, int]] = {  # name: window, image
    "tiny_patch4_window7_224": (7, 224),
    "small_patch4_window7_224": (7, 224),
    "base_patch4_window7_224": (7, 224),
    "base_patch4_window12_384": (12, 384),
    "large_patch4_window7_224": (7, 224),
    "large_patch4_window12_384": (12, 384),
}
V2: dict[str, tuple[int, int, tuple[int, ...] | None]] = {  # name: window, image, pretrained windows
    "tiny_window8_256": (8, 256, None),
    "tiny_window16_256": (16, 256, None),
    "small_window8_256": (8, 256, None),
    "small_window16_256": (16, 256, None),
    "base_window8_256": (8, 256, None),
    "base_window16_256": (16, 256, None),
    "base_window12_192": (12, 192, None),
    "base_window12to16_192to256": (16, 256, (12, 12, 12, 6)),
    "base_window12to24_192to384": (24, 384, (12, 12, 12, 6)),
    "large_window12_192": (12, 192, None),
    "large_window12to16_192to256": (16, 256, (12, 12, 12, 6)),
    "large_window12to24_192to384": (24, 384, (12, 12, 12, 6)),
}


def _arguments(name: str, version: int, window: int, image: int) -> dict[str, Any]:
    size = SIZES[name.split("_")[0]]
    return size | {"version": version, "window_size": window, "img_size": image}


PRESETS: dict[str, dict[str, Any]] = {
    f"swin_{name}": _arguments(name, 1, window, image) for name, (window, image) in V1.items()
} | {
    f"swinv2_{name}": _arguments(name, 2, window, image) | {"pretrained_window_sizes": pretrained}
    for name, (window, image, pretrained) in V2.items()
}
