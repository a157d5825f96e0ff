"""transformers' text models: T5, MPNet, Bloom, MPT, LayoutLMv3, UDOP, XLNet."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from ._convert import TABLE, fused, heads_first, in_float64, projections, renamed
from ._import import original
from .agreement import Agreement, attention, scheme

t5 = original("transformers.models.t5.modeling_t5")
mpnet = original("transformers.models.mpnet.modeling_mpnet")
bloom = original("transformers.models.bloom.modeling_bloom")
mpt = original("transformers.models.mpt.modeling_mpt")
layoutlmv3 = original("transformers.models.layoutlmv3.modeling_layoutlmv3")
udop = original("transformers.models.udop.modeling_udop")
xlnet = original("transformers.models.xlnet.modeling_xlnet")

WIDTH, HEADS = 12, 3
DIM = WIDTH // HEADS
LENGTH = 24
BUCKETS = {"num_buckets": 8, "max_distance": 20}


def future_mask(length):
    """(L, L): −1e9 for keys after the query."""
    return np.triu(np.full((length, length), -1e9), 1)


@pytest.mark.parametrize("decoder", [False, True])
def test_t5(agree, decoder):
    """No 1/√d: its q weights count √d times in ours. Its decoder masks the future itself."""
    config = t5.T5Config(
        d_model=WIDTH,
        d_kv=DIM,
        num_heads=HEADS,
        relative_attention_num_buckets=8,
        relative_attention_max_distance=20,
        is_decoder=decoder,
    )
    layer = t5.T5Attention(config, has_relative_attention_bias=True, layer_idx=0)
    mask = future_mask(LENGTH) if decoder else np.zeros((LENGTH, LENGTH))

    def state(p):
        qkv = projections(p, "qkv", "o", scale_q=math.sqrt(DIM))
        return {**qkv, TABLE: p["relative_attention_bias.weight"]}

    agree(
        Agreement(
            attention(WIDTH, HEADS, "t5", LENGTH, qkv_bias=False, bidirectional=not decoder, **BUCKETS),
            layer,
            lambda x: layer(x, mask=torch.tensor(mask))[0],
            state,
            {"x": (2, LENGTH, WIDTH)},
            call={"mask": mask},
        )
    )


@pytest.mark.parametrize("bidirectional", [False, True])
def test_t5_buckets_far_away(agree, bidirectional):
    """T5's own sizes over several hundred tokens; its logarithm is float32 and falls as ours does."""
    config = t5.T5Config(num_heads=HEADS, is_decoder=not bidirectional)
    layer = t5.T5Attention(config, has_relative_attention_bias=True, layer_idx=0)
    agree(
        Agreement(
            scheme(HEADS, "t5", 300, bidirectional=bidirectional),
            layer,
            lambda: layer.compute_bias(300, 300)[0],
            lambda p: {"relative_position_bias_table": p["relative_attention_bias.weight"]},
        )
    )


def test_mpnet(agree):
    """T5's bias with 1/√d; max_distance is 128 always."""
    config = mpnet.MPNetConfig(
        hidden_size=WIDTH,
        num_attention_heads=HEADS,
        relative_attention_num_buckets=32,
        num_hidden_layers=1,
        intermediate_size=WIDTH,
    )
    encoder = mpnet.MPNetEncoder(config)
    parts = nn.ModuleDict(
        {"attention": mpnet.MPNetSelfAttention(config), "bias": encoder.relative_attention_bias}
    )

    def state(p):
        qkv = projections(p, [f"attention.{name}" for name in "qkv"], "attention.o")
        return {**qkv, TABLE: p["bias.weight"]}

    agree(
        Agreement(
            attention(WIDTH, HEADS, "t5", LENGTH),
            parts,
            lambda x: parts["attention"](x, position_bias=encoder.compute_position_bias(x))[0],
            state,
            {"x": (2, LENGTH, WIDTH)},
        )
    )


def test_bloom(agree):
    """It adds slope · j, ours −slope · (i − j): the difference is constant in a row. Float32 softmax."""
    config = bloom.BloomConfig(hidden_size=WIDTH, n_head=HEADS)
    layer, length = bloom.BloomAttention(config, layer_idx=0), 7
    mask = torch.tensor(future_mask(length), dtype=torch.float32)

    def theirs(x):
        alibi = bloom.build_alibi_tensor(torch.ones(2, length), HEADS, torch.float32)
        return layer(x, torch.zeros_like(x), alibi, mask)[0]

    def state(p):
        p = p | {name: heads_first(a, HEADS, 3) for name, a in p.items() if "query_key_value" in name}
        return fused(p, "query_key_value", "dense")

    agree(
        Agreement(
            attention(WIDTH, HEADS, "alibi", length, causal=True),
            layer,
            theirs,
            state,
            {"x": (2, length, WIDTH)},
            dtype="float32",
        )
    )


@pytest.mark.parametrize("heads", [3, 4, 6])
def test_mpt(agree, heads):
    """It adds slope · (j − L + 1), and takes the slopes of heads that are no power of two from the next
    power, first every second one, then those between: the paper's. Float32 softmax."""
    config = mpt.MptConfig(d_model=WIDTH, n_heads=heads)
    layer, length = mpt.MptAttention(config, layer_idx=0), 7
    future = torch.tensor(future_mask(length) < 0)
    agree(
        Agreement(
            attention(WIDTH, heads, "alibi", length, qkv_bias=False, causal=True),
            layer,
            lambda x: layer(x, mpt.build_mpt_alibi_tensor(heads, length), attention_mask=future)[0],
            lambda p: fused(p, "Wqkv", "out_proj"),
            {"x": (2, length, WIDTH)},
            dtype="float32",
        )
    )


def boxes(length):
    """(1, L, 4): left, top, right, bottom."""
    corner = np.random.default_rng(3).integers(0, 60, (1, length, 4))
    return torch.tensor(np.sort(corner.reshape(1, length, 2, 2), axis=2).reshape(1, length, 4))


LAYOUT_TABLES = ("rel_pos_bias", "rel_pos_x_bias", "rel_pos_y_bias")
LAYOUT_SIZES = (8, 20), (16, 40), (16, 40)  # buckets and reach of each


def layoutlmv3_state(p):
    """Tables (heads, buckets), divided by √d together with the scores."""
    tables = {
        f"rel_pos.parts.{n}.relative_position_bias_table": p[f"{name}.weight"].T / math.sqrt(DIM)
        for n, name in enumerate(LAYOUT_TABLES)
    }
    names = [f"attention.{name}" for name in ("query", "key", "value")]
    return {**projections(p, names, None), **tables}


def layoutlmv3_biases(encoder, buckets, box):
    """1-D and x + y. transformers looks its tables up under no_grad, which leaves them untrained; here
    they are looked up with its buckets and a gradient, and made sure to give the same."""
    tables = [getattr(encoder, name).weight.T for name in LAYOUT_TABLES]
    line, x, y = (
        table[bucket].permute(0, 3, 1, 2) for table, bucket in zip(tables, buckets, strict=True)
    )
    assert torch.equal(line, encoder._cal_1d_pos_emb(torch.arange(10)[None]))
    assert torch.equal(x + y, encoder._cal_2d_pos_emb(box))
    return line, x + y


def test_layoutlmv3(agree):
    """1-D + x (left) + y (bottom)."""
    (bins, reach), (plane_bins, plane_reach), _ = LAYOUT_SIZES
    sizes = {"rel_pos_bins": bins, "max_rel_pos": reach}
    sizes |= {"rel_2d_pos_bins": plane_bins, "max_rel_2d_pos": plane_reach}
    config = layoutlmv3.LayoutLMv3Config(
        hidden_size=WIDTH, num_attention_heads=HEADS, num_hidden_layers=1, **sizes
    )
    encoder, box = layoutlmv3.LayoutLMv3Encoder(config), boxes(10)
    tables = {name: getattr(encoder, name) for name in LAYOUT_TABLES}
    parts = nn.ModuleDict({"attention": layoutlmv3.LayoutLMv3SelfAttention(config), **tables})
    buckets = [
        encoder.relative_position_bucket(at[:, None] - at[..., None], True, *size)
        for at, size in zip(
            (torch.arange(10)[None], box[..., 0], box[..., 3]), LAYOUT_SIZES, strict=True
        )
    ]

    def theirs(x):
        line, plane = layoutlmv3_biases(encoder, buckets, box)
        return parts["attention"](x, rel_pos=line, rel_2d_pos=plane)[0]

    line = {"bias_type": "t5", "num_buckets": bins, "max_distance": reach}
    plane = [{"bias_type": "custom", "index": b[0].numpy(), "num_rows": 16} for b in buckets[1:]]
    agree(
        Agreement(
            attention(WIDTH, HEADS, "sum", 10, parts=(line, *plane)),
            parts,
            theirs,
            layoutlmv3_state,
            {"x": (2, 10, WIDTH)},
        )
    )


def udop_state(p):
    tables = (p[f"biases.{n}.relative_attention_bias.weight"] for n in range(3))
    return {f"parts.{n}.relative_position_bias_table": table for n, table in enumerate(tables)}


def test_udop(agree):
    """The same sum by itself: 1-D, and the centres of boxes in [0, 1) times 100."""
    sizes = {"num_heads": HEADS, "relative_attention_num_buckets": 8}
    line = udop.RelativePositionBias1D(max_distance=20, **sizes)
    plane = [udop.RelativePositionBiasHorizontal(**sizes), udop.RelativePositionBiasVertical(**sizes)]
    layer = udop.RelativePositionBiasAggregated([line, *plane])
    box, mask = boxes(10) / 60, torch.ones(1, 10)
    parts = [
        {"bias_type": "custom", "index": each.get_bucket(mask, box)[0].numpy(), "num_rows": 8}
        for each in plane
    ]
    agree(
        Agreement(
            scheme(HEADS, "sum", 10, parts=({"bias_type": "t5", **BUCKETS}, *parts)),
            layer,
            lambda: layer(mask, box)[0],
            udop_state,
        )
    )


def sinusoids(positions, width):
    angles = np.outer(positions, 10000.0 ** -(np.arange(0, width, 2) / width))
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)


def xlnet_state(p):
    """Its projections are (width, heads, d): ours transposed, but for the last."""
    flat = {name: p[name].flatten(1) for name in "qkvor"}
    return {
        "qkv.weight": torch.cat([flat[name].T for name in "qkv"]),
        "proj.weight": flat["o"],
        "proj.bias": flat["o"].detach().new_zeros(WIDTH),
        "rel_pos.r_net.weight": flat["r"].T,
        **renamed(p, "r_w_bias", "rel_pos.r_w_bias"),
        **renamed(p, "r_r_bias", "rel_pos.r_r_bias"),
    }


def test_xlnet(agree):
    """Both directions. Without its segments, and without the residual and layer norm after it."""
    config = xlnet.XLNetConfig(vocab_size=5, d_model=WIDTH, n_head=HEADS, n_layer=1, d_inner=WIDTH)
    model, length = xlnet.XLNetModel(config), 7
    layer = model.layer[0].rel_attn
    layer.layer_norm = nn.Identity()
    formula = sinusoids(np.arange(length, -length, -1), WIDTH)[:, None]
    encoding = in_float64(model.relative_positional_encoding(length, length), formula)

    def theirs(x):
        h = x.transpose(0, 1)
        r = encoding.expand(-1, x.shape[0], -1)
        return (layer(h, None, None, None, r, None)[0] - h).transpose(0, 1)

    agree(
        Agreement(
            attention(WIDTH, HEADS, "transformer_xl", length, qkv_bias=False),
            layer,
            theirs,
            xlnet_state,
            {"x": (2, length, WIDTH)},
        )
    )
