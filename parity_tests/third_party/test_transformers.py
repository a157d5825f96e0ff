"""transformers' vision models: Swin, Swin V2, BEiT and Data2Vec, SAM, ViTDet, LeViT."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from ._convert import TABLE, folded, fused, in_float64, projections, renamed
from ._import import original
from ._windows import log_coordinates, offsets, shift_mask
from .agreement import Agreement, Ours, attention, scheme

swin = original("transformers.models.swin.modeling_swin")
swinv2 = original("transformers.models.swinv2.modeling_swinv2")
beit = original("transformers.models.beit.modeling_beit")
data2vec = original("transformers.models.data2vec.modeling_data2vec_vision")
sam = original("transformers.models.sam.modeling_sam")
vitdet = original("transformers.models.vitdet.modeling_vitdet")
levit = original("transformers.models.levit.modeling_levit")

WIDTH, HEADS = 12, 3
QKV = ("q_proj", "k_proj", "v_proj")


def without_float32_softmax(config):
    """Select SDPA, which keeps the dtype, as eager attention computes its softmax in float32."""
    config._attn_implementation = "sdpa"
    return config


@pytest.mark.parametrize("shifted", [False, True])
def test_swin(agree, shifted):
    layer = swin.SwinAttention(without_float32_softmax(swin.SwinConfig()), WIDTH, HEADS, 3)
    mask = shift_mask((3, 3), (2, 2), (1, 1)) if shifted else None

    def state(p):
        table = p["relative_position_bias.relative_position_bias_table"]
        return {**projections(p, QKV, "o_proj"), TABLE: table}

    agree(
        Agreement(
            attention(WIDTH, HEADS, "2d", (3, 3)),
            layer,
            lambda x: layer(x, mask)[0],
            state,
            {"x": (8, 9, WIDTH)},
            index=layer.relative_position_bias.relative_position_index.view(9, 9),
            call={"mask": mask[:, None].numpy()} if shifted else {},
        )
    )


MASKS = {
    "none": (None, 0),
    "shift": (shift_mask((2, 3), (2, 2), (1, 1)), 1),
    "soft": (torch.tensor(np.random.default_rng(0).standard_normal((4, 6, 6))), 2),
}


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("pretrained", [None, (4, 6)])
def test_swinv2(agree, name, pretrained):
    """The original adds its mask twice, which shows with a soft mask; ours gets that mask doubled.

    Its coordinates are float32, here replaced by float64. It has no output projection.
    """
    (mask, times), window = MASKS[name], (2, 3)
    layer = swinv2.Swinv2SelfAttention(
        swinv2.Swinv2Config(), WIDTH, HEADS, window, pretrained_window_size=pretrained or (0, 0)
    )
    coordinates = partial(log_coordinates, window=pretrained or window)
    layer.relative_coords_table = in_float64(
        layer.relative_coords_table, coordinates, offsets(window)[None]
    )

    def state(p):
        mlp = renamed(p, "continuous_position_bias_mlp", "rel_pos.cpb_mlp")
        qkv = projections(p, ("query", "key", "value"), None)
        return {**qkv, **mlp, "logit_scale": p["logit_scale"]}

    agree(
        Agreement(
            attention(
                WIDTH, HEADS, "log_cpb", window, cosine=True, pretrained_window_size=pretrained or window
            ),
            layer,
            lambda x: layer(x, mask)[0],
            state,
            {"x": (8, 6, WIDTH)},
            call={} if mask is None else {"mask": times * mask[:, None].numpy()},
        )
    )


def beit_config(config, size=12):
    return without_float32_softmax(
        config(hidden_size=WIDTH, num_attention_heads=HEADS, image_size=size, patch_size=4)
    )


def test_beit(agree):
    """BEiT with a bias of the layer's own, including the class token's three rows."""
    config = beit_config(beit.BeitConfig)
    parts = nn.ModuleDict(
        {"attention": beit.BeitAttention(config), "bias": beit.BeitRelativePositionBias(config)}
    )

    def state(p):
        qkv = projections(p, [f"attention.{name}" for name in QKV], "attention.o_proj")
        return {**qkv, TABLE: p["bias.relative_position_bias_table"]}

    agree(
        Agreement(
            attention(WIDTH, HEADS, "2d", (3, 3), num_prefix_tokens=1),
            parts,
            lambda x: parts["attention"](x, parts["bias"]((3, 3)))[0],
            state,
            {"x": (2, 10, WIDTH)},
            index=parts["bias"].generate_relative_position_index((3, 3)),
        )
    )


def test_beit_shared(agree):
    """BEiT with one bias for all layers: the bias is an input of the layer, with a gradient."""
    layer = beit.BeitAttention(beit_config(beit.BeitConfig))
    own = {"embed_dim": WIDTH, "num_heads": HEADS, "use_relative_position": False}
    agree(
        Agreement(
            Ours("MultiHeadAttention", "2d", own),
            layer,
            lambda x, bias: layer(x, bias[None])[0],
            lambda p: projections(p, QKV, "o_proj"),
            {"x": (2, 10, WIDTH), "bias": (HEADS, 10, 10)},
        )
    )


def test_beit_on_a_grid_with_unequal_sides(agree):
    """The original resizes its table as one of (width, height), even to the same size.

    That mixes up the offsets, so its table is looked up here by its own index, as in timm.
    """
    layer, window = beit.BeitRelativePositionBias(beit_config(beit.BeitConfig, (12, 16))), (3, 4)
    index = layer.generate_relative_position_index(window)

    def theirs():
        bias = layer.relative_position_bias_table[index].permute(2, 0, 1)
        assert not torch.allclose(layer(window)[0], bias), "mended: compare with what it returns"
        return bias

    agree(Agreement(scheme(HEADS, "2d", window, num_prefix_tokens=1), layer, theirs, dict, index=index))


def test_data2vec_vision(agree):
    """Data2Vec: BEiT's attention with the bias inside and the same three extra rows."""
    config = data2vec.Data2VecVisionConfig(hidden_size=WIDTH, num_attention_heads=HEADS)
    layer = data2vec.Data2VecVisionSelfAttention(config, window_size=(3, 3))
    resolution = (3 * config.patch_size,) * 2

    def state(p):
        table = p["relative_position_bias.relative_position_bias_table"]
        return {**projections(p, ("query", "key", "value"), None), TABLE: table}

    agree(
        Agreement(
            attention(WIDTH, HEADS, "2d", (3, 3), num_prefix_tokens=1),
            layer,
            lambda x: layer(x, resolution=resolution)[0],
            state,
            {"x": (2, 10, WIDTH)},
        )
    )


@pytest.mark.parametrize("height", ["sam", "vitdet"])
def test_decomposed(agree, height):
    if height == "sam":
        config = sam.SamVisionConfig(hidden_size=WIDTH, num_attention_heads=HEADS)
        layer, window = sam.SamVisionSdpaAttention(config, window_size=4), (4, 4)
    else:
        config = vitdet.VitDetConfig(
            hidden_size=WIDTH, num_attention_heads=HEADS, use_relative_position_embeddings=True
        )
        layer, window = vitdet.VitDetAttention(config, input_size=(3, 5)), (3, 5)
    agree(
        Agreement(
            attention(WIDTH, HEADS, "decomposed", window),
            layer,
            lambda x: layer(x.unflatten(1, window))[0].flatten(1, 2),
            lambda p: {**fused(p), **renamed(p, "rel_pos", "rel_pos.rel_pos")},
            {"x": (2, window[0] * window[1], WIDTH)},
        )
    )


BN = "batch_norm"


def levit_state(p):
    """Map the parameters of LeViT: q, k and v are together per head, and the table is (heads, rows)."""
    if "queries.linear.weight" in p:
        pairs = folded(p, "queries", BN, HEADS), folded(p, "keys_values", BN, HEADS, 2)
        weight, bias = (torch.cat(each) for each in zip(*pairs, strict=True))
    else:
        weight, bias = folded(p, "queries_keys_values", BN, HEADS, 3)
    proj_weight, proj_bias = folded(p, "projection", BN)
    state = {"qkv.weight": weight, "qkv.bias": bias, TABLE: p["attention_biases"].T}
    return {**state, "proj.weight": proj_weight, "proj.bias": proj_bias}


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_levit(agree, stride):
    """The activation between attention and projection is removed, as ours has none."""
    sizes = {"key_dim": WIDTH // HEADS, "num_attention_heads": HEADS, "attention_ratio": 1}
    if stride == 1:
        layer = levit.LevitAttention(WIDTH, **sizes, resolution=5)
    else:
        layer = levit.LevitAttentionSubsample(
            WIDTH, WIDTH, **sizes, stride=stride, resolution_in=5, resolution_out=-(-5 // stride)
        )
    layer.activation = nn.Identity()
    agree(
        Agreement(
            attention(WIDTH, HEADS, "levit", (5, 5), stride=stride),
            layer,
            layer,
            levit_state,
            {"x": (2, 25, WIDTH)},
            index=layer.attention_bias_idxs,
        )
    )
