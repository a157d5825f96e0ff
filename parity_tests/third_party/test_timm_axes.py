"""timm's biases by axis: LeViT, TinyViT, EfficientFormer, HaloNet, BoTNet, MViT V2, SAM."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ._convert import TABLE, folded, fused, heads_first, no_output, renamed
from ._import import original
from .agreement import Agreement, attention, scheme

levit = original("timm.models.levit")
tiny_vit = original("timm.models.tiny_vit")
efficientformer = original("timm.models.efficientformer")
halo_attn = original("timm.layers.halo_attn")
bottleneck_attn = original("timm.layers.bottleneck_attn")
mvitv2 = original("timm.models.mvitv2")
sam = original("timm.models.vision_transformer_sam")

WIDTH, HEADS, DIM = 12, 3, 4
GRID, TOKENS = (3, 5), 15


def levit_state(p):
    """Map the parameters of LeViT, whose table is (heads, rows)."""
    if "kv.linear.weight" in p:
        pairs = folded(p, "q.ln", "bn", HEADS), folded(p, "kv", "bn", HEADS, 2)
        weight, bias = (torch.cat(each) for each in zip(*pairs, strict=True))
    else:
        weight, bias = folded(p, "qkv", "bn", HEADS, 3)
    proj_weight, proj_bias = folded(p, "proj.ln", "bn")
    state = {"qkv.weight": weight, "qkv.bias": bias, TABLE: p["attention_biases"].T}
    return {**state, "proj.weight": proj_weight, "proj.bias": proj_bias}


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_levit(agree, stride):
    """The activation between attention and projection is removed, as ours has none."""
    sizes = {"num_heads": HEADS, "attn_ratio": 1, "resolution": GRID, "act_layer": nn.Identity}
    if stride == 1:
        layer = levit.Attention(WIDTH, DIM, **sizes)
    else:
        layer = levit.AttentionDownsample(WIDTH, WIDTH, DIM, stride=stride, **sizes)
    agree(
        Agreement(
            attention(WIDTH, HEADS, "levit", GRID, stride=stride),
            layer,
            layer,
            levit_state,
            {"x": (2, TOKENS, WIDTH)},
            index=layer.attention_bias_idxs,
        )
    )


@pytest.mark.parametrize("model", [tiny_vit, efficientformer])
def test_levits_heirs(agree, model):
    """TinyViT, with its layer norm removed, and EfficientFormer."""
    layer = model.Attention(WIDTH, DIM, HEADS, attn_ratio=1, resolution=GRID)
    layer.norm = nn.Identity()

    def state(p):
        p = p | {name: heads_first(a, HEADS, 3) for name, a in p.items() if name.startswith("qkv")}
        return {**fused(p), TABLE: p["attention_biases"].T}

    agree(
        Agreement(
            attention(WIDTH, HEADS, "levit", GRID),
            layer,
            layer,
            state,
            {"x": (2, TOKENS, WIDTH)},
            index=layer.attention_bias_idxs,
        )
    )


def relative(p, halo):
    """Map timm's tables of key − query, counted from the corners of block and window, to ours.

    timm's row is 2 · window − 2 + halo minus our row.
    """
    tables = {axis: p[f"pos_embed.{axis}_rel"].flip(0) for axis in ("height", "width")}
    return {
        f"rel_pos.{axis}_rel": torch.cat([rows.detach()[:halo], rows[: len(rows) - halo]])
        for axis, rows in tables.items()
    }


def test_halo(agree):
    """The block in the middle of an image is compared; our window is that block with its halo."""
    block, halo = 3, 2
    window = block + 2 * halo
    layer = halo_attn.HaloAttn(WIDTH, num_heads=HEADS, dim_head=DIM, block_size=block, halo_size=halo)

    def theirs(x):
        image = F.pad(x.transpose(1, 2).unflatten(2, (window, window)), [block - halo] * 4)
        return layer(image)[:, :, block:-block, block:-block].flatten(2).transpose(1, 2)

    def state(p):
        kv = heads_first(p["kv.weight"].flatten(1), HEADS, 2)
        weight = torch.cat([p["q.weight"].flatten(1), kv])
        return {"qkv.weight": weight, **no_output(WIDTH), **relative(p, halo)}

    agree(
        Agreement(
            attention(WIDTH, HEADS, "halo", (window, window), qkv_bias=False, halo_size=halo),
            layer,
            theirs,
            state,
            {"x": (2, window**2, WIDTH)},
        )
    )


def test_bottleneck(agree):
    """BoTNet: every token is a query."""
    layer = bottleneck_attn.BottleneckAttn(WIDTH, feat_size=GRID, num_heads=HEADS, dim_head=DIM)
    agree(
        Agreement(
            attention(WIDTH, HEADS, "halo", GRID, qkv_bias=False),
            layer,
            lambda x: layer(x.transpose(1, 2).unflatten(2, GRID)).flatten(2).transpose(1, 2),
            lambda p: {"qkv.weight": p["qkv.weight"].flatten(1), **no_output(WIDTH), **relative(p, 0)},
            {"x": (2, TOKENS, WIDTH)},
        )
    )


def decomposed_state(p):
    return {**fused(p), **renamed(p, "rel_pos", "rel_pos.rel_pos")}


def test_sam(agree):
    layer = sam.Attention(WIDTH, HEADS, use_rel_pos=True, input_size=GRID)
    agree(
        Agreement(
            attention(WIDTH, HEADS, "decomposed", GRID),
            layer,
            lambda x: layer(x.unflatten(1, GRID)).flatten(1, 2),
            decomposed_state,
            {"x": (2, TOKENS, WIDTH)},
        )
    )


@pytest.mark.parametrize("prefix", [0, 1])
def test_mvitv2(agree, prefix):
    """MViT V2 without pooling, and without the residual of the pooled query."""
    layer = mvitv2.MultiScaleAttention(
        WIDTH, WIDTH, (4, 4), HEADS, has_cls_token=bool(prefix), residual_pooling=False
    )
    agree(
        Agreement(
            attention(WIDTH, HEADS, "decomposed", (4, 4), num_prefix_tokens=prefix),
            layer,
            lambda x: layer(x, (4, 4))[0],
            decomposed_state,
            {"x": (2, 16 + prefix, WIDTH)},
        )
    )


@pytest.mark.parametrize(("q_size", "k_size"), [((4, 4), (2, 2)), ((2, 4), (4, 4)), ((4, 3), (2, 4))])
def test_mvitv2_pooled(agree, q_size, k_size):
    """The bias alone, for grids of other sizes, as the original's pooling makes them."""
    layer = mvitv2.MultiScaleAttention(WIDTH, WIDTH, (4, 4), HEADS)

    def theirs(q):
        scores = torch.zeros(*q.shape[:3], np.prod(k_size), dtype=q.dtype)
        return mvitv2.cal_rel_pos_type(
            scores, q, False, q_size, k_size, layer.rel_pos_h, layer.rel_pos_w
        )

    agree(
        Agreement(
            scheme(HEADS, "decomposed", (4, 4), head_dim=DIM),
            layer,
            theirs,
            lambda p: renamed(p, "rel_pos", "rel_pos"),
            {"q": (2, HEADS, q_size[0] * q_size[1], DIM)},
            call={"q_size": q_size, "k_size": k_size},
        )
    )
