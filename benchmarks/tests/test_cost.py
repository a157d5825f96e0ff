"""The calculated cost: operations counted by hand, hours from made-up figures."""

import pytest

from benchmarks import cost
from experiments.config import load_config
from torch_impl import SwinTransformer, VisionTransformer

SMALL = {"img_size": 32, "patch_size": 4, "num_classes": 5, "depths": (2, 2), "num_heads": (2, 4)}


def swin_block(tokens, width, window_tokens):
    """Multiplications of a block: arXiv 2103.14030, equation 2, and an MLP of four times the width."""
    attention = 4 * tokens * width**2 + 2 * window_tokens * tokens * width
    return attention + 8 * tokens * width**2


def test_operations_are_those_counted_by_hand():
    """Twice the multiplications; backward takes twice forward, but the images get no gradient."""
    counted = cost.count(SwinTransformer(embed_dim=16, window_size=4, **SMALL), (3, 32, 32))
    embed, merge, head = 64 * (3 * 4 * 4) * 16, 16 * (4 * 16) * 32, 32 * 5
    forward = embed + 2 * swin_block(64, 16, 16) + merge + 2 * swin_block(16, 32, 16) + head
    assert counted.forward == 2 * forward
    assert counted.step == 2 * (3 * forward - embed)


def test_bytes_grow_with_the_tokens_and_not_with_the_weights():
    narrow, wide = (
        cost.count(VisionTransformer(8, 4, 1, classes, embed_dim=8, depth=1, num_heads=1), (1, 8, 8))
        for classes in (10, 10_000)
    )
    assert narrow.bytes < wide.bytes < narrow.bytes + 10_000 * 4 * 20  # its logits, not its matrix


@pytest.mark.parametrize(("precision", "hours"), [("fp32", "8.0"), ("bf16", "6.0")])
def test_hours_by_hand(monkeypatch, precision, hours):
    """Products take 2 s, 4 float32 bytes another 2 s an image; 7200 images on 2 GPUs twice."""
    monkeypatch.setattr(cost, "GPUS", [cost.Gpu("made up", 10 / cost.PRODUCTS, 2 / cost.MEMORY)])
    config = load_config("configs/imagenet_swin_t.yaml")
    config.training.epochs, config.training.precision = 2, precision
    lines = list(cost.report(cost.Count(7, 20, 4), config, images=7200, gpus=2, steps=9))
    assert lines[-1].split(" | ")[4] == hours
    assert lines[-1].split(" | ")[5] == f"{2 * float(hours):.0f} |"
