"""transformers' vision models: Swin, Swin V2, BEiT, SAM, ViTDet, LeViT."""

import pytest
import torch
from torch import nn

from ._convert import TABLE, no_output, output, projections
from ._import import original
from .agreement import Agreement, attention

swin = original("transformers.models.swin.modeling_swin")
swinv2 = original("transformers.models.swinv2.modeling_swinv2")
beit = original("transformers.models.beit.modeling_beit")
sam = original("transformers.models.sam.modeling_sam")
vitdet = original("transformers.models.vitdet.modeling_vitdet")
levit = original("transformers.models.levit.modeling_levit")

WIDTH, HEADS = 12, 3
QKVO = ("q_proj", "k_proj", "v_proj"), "o_proj"


def in_float64(config):
    """Eager attention takes its softmax in float32; PyTorch's own keeps the dtype."""
    config._attn_implementation = "sdpa"
    return config


def shift_mask(window=3, side=6):
    """Swin's mask of a cyclic shift: (windows, L, L) of 0 and −100."""
    layer = swin.SwinLayer(swin.SwinConfig(window_size=window), WIDTH, (side, side), HEADS, shift_size=1)
    return layer.get_attn_mask(side, side, torch.float64, "cpu")


@pytest.mark.parametrize("shifted", [False, True])
def test_swin(agree, shifted):
    config = in_float64(swin.SwinConfig())
    layer = swin.SwinAttention(config, WIDTH, HEADS, 3)
    mask = shift_mask() if shifted else None
    agree(
        Agreement(
            attention(WIDTH, HEADS, "2d", (3, 3)),
            layer,
            lambda x: layer(x, mask)[0],
            lambda p: {
                **projections(p, *QKVO),
                TABLE: p["relative_position_bias.relative_position_bias_table"],
            },
            {"x": (8, 9, WIDTH)},
            index=layer.relative_position_bias.relative_position_index.view(9, 9),
            call={"mask": mask[:, None].numpy()} if shifted else {},
        )
    )


@pytest.mark.parametrize("times", [0, 1])
def test_swinv2(agree, times):
    """Its shift mask is added twice (a slip that −100 hides); ours adds what it is given, once.

    Its coordinates are computed in float32. The attention ends before its output projection.
    """
    layer = swinv2.Swinv2SelfAttention(swinv2.Swinv2Config(), WIDTH, HEADS, 3)
    mask = shift_mask().float() if times else None
    agree(
        Agreement(
            attention(WIDTH, HEADS, "log_cpb", (3, 3), cosine=True),
            layer,
            lambda x: layer(x, mask)[0],
            swinv2_state,
            {"x": (8, 9, WIDTH)},
            index=layer.relative_position_index,
            call={"mask": 2 * mask[:, None].numpy()} if times else {},
            dtype="float32",
        )
    )


def swinv2_state(p):
    named = {f"rel_pos.cpb_mlp.{n}": p[f"continuous_position_bias_mlp.{n}"] for n in CPB}
    qkv = projections(p | no_output(WIDTH), ("query", "key", "value"), "proj")
    return {**qkv, **named, "logit_scale": p["logit_scale"]}


CPB = ("0.weight", "0.bias", "2.weight")


def beit_parts():
    config = in_float64(
        beit.BeitConfig(hidden_size=WIDTH, num_attention_heads=HEADS, image_size=(12, 16), patch_size=4)
    )
    return nn.ModuleDict(
        {"attention": beit.BeitAttention(config), "bias": beit.BeitRelativePositionBias(config)}
    )


def test_beit(agree):
    """The class token's three rows; the same module is BEiT's shared bias and that of each layer."""
    parts = beit_parts()
    agree(
        Agreement(
            attention(WIDTH, HEADS, "2d", (3, 4), num_prefix_tokens=1),
            parts,
            lambda x: parts["attention"](x, parts["bias"]((3, 4)))[0],
            lambda p: {
                **projections(p, [f"attention.{n}" for n in QKVO[0]], "attention.o_proj"),
                TABLE: p["bias.relative_position_bias_table"],
            },
            {"x": (2, 13, WIDTH)},
            index=parts["bias"].generate_relative_position_index((3, 4)),
        )
    )


def image(x, height, width):
    return x.unflatten(1, (height, width))


def decomposed_state(p):
    axes = {f"rel_pos.rel_pos_{axis}": p[f"rel_pos_{axis}"] for axis in "hw"}
    return {"qkv.weight": p["qkv.weight"], "qkv.bias": p["qkv.bias"], **output(p, "proj"), **axes}


def test_sam(agree):
    config = sam.SamVisionConfig(hidden_size=WIDTH, num_attention_heads=HEADS)
    layer = sam.SamVisionSdpaAttention(config, window_size=4)
    agree(
        Agreement(
            attention(WIDTH, HEADS, "decomposed", (4, 4)),
            layer,
            lambda x: layer(image(x, 4, 4))[0].flatten(1, 2),
            decomposed_state,
            {"x": (2, 16, WIDTH)},
        )
    )


def test_vitdet(agree):
    config = vitdet.VitDetConfig(
        hidden_size=WIDTH, num_attention_heads=HEADS, use_relative_position_embeddings=True
    )
    layer = vitdet.VitDetAttention(config, input_size=(3, 5))
    agree(
        Agreement(
            attention(WIDTH, HEADS, "decomposed", (3, 5)),
            layer,
            lambda x: layer(image(x, 3, 5))[0].flatten(1, 2),
            decomposed_state,
            {"x": (2, 15, WIDTH)},
        )
    )
