"""torchvision's Swin, Swin V2, Video Swin, MaxViT and MViT."""

import math
from functools import partial

import pytest
import torch

from ._convert import TABLE, fused, in_float64, projections, renamed
from ._import import original
from ._windows import log_coordinates, merge, offsets, partition, shift_mask
from .agreement import Agreement, attention

swin = original("torchvision.models.swin_transformer")
video = original("torchvision.models.video.swin_transformer")
maxvit = original("torchvision.models.maxvit")
mvit = original("torchvision.models.video.mvit")

WIDTH, HEADS = 12, 3
COUNTS = (2, 2)  # windows along each axis


def of_windows(layer, window, counts, shift):
    """Return a layer that rolls and splits images itself as a function of windows."""
    axes = tuple(range(1, 1 + len(window)))

    def call(x):
        image = layer(torch.roll(merge(x, window, counts), shift, axes))
        return partition(torch.roll(image, [-by for by in shift], axes), window)

    return call


def masked(window, counts, shift):
    return {"mask": shift_mask(window, counts, shift)[:, None].numpy()} if any(shift) else {}


@pytest.mark.parametrize("shift", [(0, 0), (1, 2)])
def test_swin(agree, shift):
    window = (2, 3)
    layer = swin.ShiftedWindowAttention(WIDTH, list(window), list(shift), HEADS)
    agree(
        Agreement(
            attention(WIDTH, HEADS, "2d", window),
            layer,
            of_windows(layer, window, COUNTS, shift),
            lambda p: {**fused(p), TABLE: p["relative_position_bias_table"]},
            {"x": (8, 6, WIDTH)},
            index=layer.relative_position_index.view(6, 6),
            call=masked(window, COUNTS, shift),
        )
    )


def test_swinv2(agree):
    """The original uses zero for its key bias, and float32 coordinates, here replaced by float64."""
    window, shift = (2, 3), (1, 1)
    layer = swin.ShiftedWindowAttentionV2(WIDTH, list(window), list(shift), HEADS)
    coordinates = partial(log_coordinates, window=window)
    layer.relative_coords_table = in_float64(
        layer.relative_coords_table, coordinates, offsets(window)[None]
    )
    keys = torch.ones(3, WIDTH, dtype=torch.float64)
    keys[1] = 0

    def state(p):
        p = p | {"qkv.bias": p["qkv.bias"] * keys.flatten()}
        mlp = renamed(p, "cpb_mlp", "rel_pos.cpb_mlp")
        return {**fused(p), **mlp, "logit_scale": p["logit_scale"]}

    agree(
        Agreement(
            attention(WIDTH, HEADS, "log_cpb", window, cosine=True),
            layer,
            of_windows(layer, window, COUNTS, shift),
            state,
            {"x": (8, 6, WIDTH)},
            call=masked(window, COUNTS, shift),
        )
    )


@pytest.mark.parametrize("shift", [(0, 0, 0), (1, 1, 2)])
def test_video_swin(agree, shift):
    window, counts = (2, 2, 3), (2, 1, 2)
    shift = tuple(by if count > 1 else 0 for by, count in zip(shift, counts, strict=True))
    layer = video.ShiftedWindowAttention3d(WIDTH, list(window), list(shift), HEADS)
    agree(
        Agreement(
            attention(WIDTH, HEADS, "3d", window),
            layer,
            of_windows(layer, window, counts, shift),
            lambda p: {**fused(p), TABLE: p["relative_position_bias_table"]},
            {"x": (4, 12, WIDTH)},
            index=layer.relative_position_index.view(12, 12),
            call=masked(window, counts, shift),
        )
    )


def test_maxvit(agree):
    """torchvision's MaxViT has a flat table of query − key, unlike timm's planes of key − query.

    It divides by the root of the whole width, not of the head's; our k weights are scaled to match.
    """
    layer = maxvit.RelativePositionalMultiHeadAttention(WIDTH, WIDTH // HEADS, 9)

    def state(p):
        split = {
            f"{name}.{part}": a
            for part in ("weight", "bias")
            for name, a in zip("qkv", p[f"to_qkv.{part}"].chunk(3), strict=True)
        }
        qkv = projections(p | split, "qkv", "merge", scale_k=math.sqrt(1 / HEADS))
        return {**qkv, TABLE: p["relative_position_bias_table"]}

    agree(
        Agreement(
            attention(WIDTH, HEADS, "2d", (3, 3)),
            layer,
            lambda x: layer(x[None])[0],
            state,
            {"x": (4, 9, WIDTH)},
            index=layer.relative_position_index,
        )
    )


def test_mvit(agree):
    """MViT on one frame without pooling, where the temporal term is the same for all patches.

    So it is added to the table of the height.
    """
    one = [1, 1, 1]
    layer = mvit.MultiscaleAttention(
        [1, 4, 4], WIDTH, WIDTH, HEADS, one, one, one, one, False, False, rel_pos_embed=True
    )

    def state(p):
        axes = {
            "rel_pos.rel_pos_h": p["rel_pos_h"] + p["rel_pos_t"],
            "rel_pos.rel_pos_w": p["rel_pos_w"],
        }
        return {**fused(p, proj="project.0"), **axes}

    agree(
        Agreement(
            attention(WIDTH, HEADS, "decomposed", (4, 4), num_prefix_tokens=1),
            layer,
            lambda x: layer(x, (1, 4, 4))[0],
            state,
            {"x": (2, 17, WIDTH)},
        )
    )
