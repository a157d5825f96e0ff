"""timm's window attentions and bias modules: Swin, Swin V2, CR, BEiT, ViT-relpos, MaxViT."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from ._convert import TABLE, fused, heads_first, in_float64, output, renamed
from ._import import original
from ._windows import cr_coordinates, log_coordinates, offsets, shift_mask
from .agreement import Agreement, Ours, attention

swin = original("timm.models.swin_transformer")
swinv2 = original("timm.models.swin_transformer_v2")
swinv2_cr = original("timm.models.swin_transformer_v2_cr")
beit = original("timm.models.beit")
relpos = original("timm.models.vision_transformer_relpos")
maxxvit = original("timm.models.maxxvit")
layers = original("timm.layers")

WIDTH, HEADS = 12, 3
WINDOW, TOKENS = (2, 3), 6
MASK = shift_mask(WINDOW, (2, 2), (1, 1))
SHIFTED = {"mask": MASK[:, None].numpy()}


def table_state(p):
    return {**fused(p), TABLE: p["relative_position_bias_table"]}


def test_swin(agree):
    layer = swin.WindowAttention(WIDTH, HEADS, window_size=WINDOW)
    agree(
        Agreement(
            attention(WIDTH, HEADS, "2d", WINDOW),
            layer,
            lambda x: layer(x, MASK),
            table_state,
            {"x": (8, TOKENS, WIDTH)},
            index=layer.relative_position_index,
            call=SHIFTED,
        )
    )


def without_key_bias(p):
    """Map a fused weight with separate biases for q and v and none for k, as in Swin V2 and BEiT."""
    bias = torch.cat([p["q_bias"], torch.zeros_like(p["q_bias"]), p["v_bias"]])
    return {"qkv.weight": p["qkv.weight"], "qkv.bias": bias, **output(p, "proj")}


@pytest.mark.parametrize("pretrained", [None, (4, 6)])
def test_swinv2(agree, pretrained):
    """The original computes its coordinates in float32; here they are replaced by float64 ones."""
    layer = swinv2.WindowAttention(WIDTH, WINDOW, HEADS, pretrained_window_size=pretrained or (0, 0))
    coordinates = partial(log_coordinates, window=pretrained or WINDOW)
    layer.relative_coords_table = in_float64(
        layer.relative_coords_table, coordinates, offsets(WINDOW)[None]
    )
    agree(
        Agreement(
            attention(
                WIDTH, HEADS, "log_cpb", WINDOW, cosine=True, pretrained_window_size=pretrained or WINDOW
            ),
            layer,
            lambda x: layer(x, MASK),
            lambda p: {
                **without_key_bias(p),
                **renamed(p, "cpb_mlp", "rel_pos.cpb_mlp"),
                "logit_scale": p["logit_scale"],
            },
            {"x": (8, TOKENS, WIDTH)},
            call=SHIFTED,
        )
    )


def test_swinv2_cr(agree):
    """The original has a coordinate for every pair, computed in float32, and logit scales (H,)."""
    layer = swinv2_cr.WindowMultiHeadAttention(WIDTH, HEADS, WINDOW, meta_hidden_dim=10)
    places = np.argwhere(np.ones(WINDOW))
    pairs = (places[:, None] - places[None]).reshape(-1, 2)
    layer.relative_coordinates_log = in_float64(layer.relative_coordinates_log, cr_coordinates, pairs)
    agree(
        Agreement(
            attention(WIDTH, HEADS, "rel_pos_mlp", WINDOW, cosine=True, mode="cr", hidden_features=10),
            layer,
            lambda x: layer(x, MASK),
            lambda p: {
                **fused(p),
                **renamed(p, "meta_mlp", "rel_pos.mlp"),
                "logit_scale": p["logit_scale"][:, None, None],
            },
            {"x": (8, TOKENS, WIDTH)},
            call=SHIFTED,
        )
    )


def test_beit(agree):
    layer = beit.Attention(WIDTH, HEADS, qkv_bias=True, window_size=WINDOW)
    agree(
        Agreement(
            attention(WIDTH, HEADS, "2d", WINDOW, num_prefix_tokens=1),
            layer,
            layer,
            lambda p: {**without_key_bias(p), TABLE: p["relative_position_bias_table"]},
            {"x": (2, TOKENS + 1, WIDTH)},
            index=layer.relative_position_index,
        )
    )


@pytest.mark.parametrize("init_values", [None, 0.1])
def test_rel_pos_block(agree, init_values):
    """A whole block, with layer scale and another eps; its parameters have our names."""
    layer = relpos.RelPosBlock(
        WIDTH,
        HEADS,
        qkv_bias=True,
        rel_pos_cls=partial(layers.RelPosBias, window_size=WINDOW, prefix_tokens=1),
        init_values=init_values,
        norm_layer=partial(nn.LayerNorm, eps=1e-3),
    )
    rpb = {"window_size": WINDOW, "num_prefix_tokens": 1}
    own = {"embed_dim": WIDTH, "num_heads": HEADS, "rpb_kwargs": rpb, "norm_eps": 1e-3}
    agree(
        Agreement(
            Ours("Block", "2d", own | {"init_values": init_values}),
            layer,
            layer,
            dict,
            {"x": (2, TOKENS + 1, WIDTH)},
        )
    )


@pytest.mark.parametrize("prefix", [0, 1])
def test_rel_pos_bias(agree, prefix):
    """RelPosBias in timm's RelPosAttention, with and without class token."""
    bias = partial(layers.RelPosBias, window_size=WINDOW, prefix_tokens=prefix)
    layer = relpos.RelPosAttention(WIDTH, HEADS, qkv_bias=True, rel_pos_cls=bias)
    length = TOKENS + prefix
    agree(
        Agreement(
            attention(WIDTH, HEADS, "2d", WINDOW, num_prefix_tokens=prefix),
            layer,
            layer,
            lambda p: {**fused(p), TABLE: p["rel_pos.relative_position_bias_table"]},
            {"x": (2, length, WIDTH)},
            index=layer.rel_pos.relative_position_index.view(length, length),
        )
    )


@pytest.mark.parametrize("prefix", [0, 1])
@pytest.mark.parametrize(("mode", "pretrained"), [("cr", None), ("swin", None), ("swin", (4, 6))])
def test_rel_pos_mlp(agree, mode, pretrained, prefix):
    """RelPosMlp in evaluation, without its dropout; its coordinates are float32, replaced by float64."""
    bias = partial(
        layers.RelPosMlp,
        window_size=WINDOW,
        hidden_dim=10,
        prefix_tokens=prefix,
        mode=mode,
        pretrained_window_size=pretrained or (0, 0),
    )
    layer = relpos.RelPosAttention(WIDTH, HEADS, rel_pos_cls=bias)
    coordinates = partial(log_coordinates, window=pretrained or WINDOW)
    if mode == "cr":
        coordinates = cr_coordinates
    layer.rel_pos.rel_coords_log = in_float64(layer.rel_pos.rel_coords_log, coordinates, offsets(WINDOW))
    agree(
        Agreement(
            attention(
                WIDTH,
                HEADS,
                "rel_pos_mlp",
                WINDOW,
                qkv_bias=False,
                mode=mode,
                pretrained_window_size=pretrained or WINDOW,
                hidden_features=10,
                num_prefix_tokens=prefix,
            ),
            layer,
            layer,
            lambda p: {**fused(p), **renamed(p, "rel_pos.mlp", "rel_pos.mlp")},
            {"x": (2, TOKENS + prefix, WIDTH)},
        )
    )


@pytest.mark.parametrize("head_first", [False, True])
def test_maxvit(agree, head_first):
    """RelPosBiasTf, which has a plane of key − query per head, in MaxViT's attention over a grid."""
    bias = partial(layers.RelPosBiasTf, window_size=WINDOW)
    layer = maxxvit.AttentionCl(WIDTH, dim_head=WIDTH // HEADS, head_first=head_first, rel_pos_cls=bias)

    def state(p):
        if head_first:
            p = p | {name: heads_first(a, HEADS, 3) for name, a in p.items() if name.startswith("qkv")}
        return {**fused(p), TABLE: p["rel_pos.relative_position_bias_table"]}

    agree(
        Agreement(
            attention(WIDTH, HEADS, "maxvit", WINDOW),
            layer,
            lambda x: layer(x.unflatten(1, WINDOW)).flatten(1, 2),
            state,
            {"x": (2, TOKENS, WIDTH)},
        )
    )
