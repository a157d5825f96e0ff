"""transformers' text models: T5, MPNet, Bloom, MPT."""

import numpy as np
import pytest
import torch
from torch import nn

from ._convert import TABLE, fused, heads_first, projections
from ._import import original
from .agreement import Agreement, attention, scheme

t5 = original("transformers.models.t5.modeling_t5")
mpnet = original("transformers.models.mpnet.modeling_mpnet")
bloom = original("transformers.models.bloom.modeling_bloom")
mpt = original("transformers.models.mpt.modeling_mpt")


WIDTH, HEADS = 12, 3
D_KV = 6
LENGTH = 24
BUCKETS = {"num_buckets": 8, "max_distance": 20}


def future_mask(length):
    """Return the mask (L, L), −1e9 for keys after the query."""
    return np.triu(np.full((length, length), -1e9), 1)


@pytest.mark.parametrize("decoder", [False, True])
def test_t5(agree, decoder):
    """T5 has no 1/√d, and d_kv · H is not d_model; the decoder needs a mask of the future."""
    config = t5.T5Config(
        d_model=WIDTH,
        d_kv=D_KV,
        num_heads=HEADS,
        relative_attention_num_buckets=8,
        relative_attention_max_distance=20,
        is_decoder=decoder,
    )
    layer = t5.T5Attention(config, has_relative_attention_bias=True, layer_idx=0)
    mask = future_mask(LENGTH) if decoder else np.zeros((LENGTH, LENGTH))

    def state(p):
        return {**projections(p, "qkv", "o"), TABLE: p["relative_attention_bias.weight"]}

    agree(
        Agreement(
            attention(
                WIDTH,
                HEADS,
                "t5",
                LENGTH,
                qkv_bias=False,
                head_dim=D_KV,
                scale=1.0,
                bidirectional=not decoder,
                **BUCKETS,
            ),
            layer,
            lambda x: layer(x, mask=torch.tensor(mask))[0],
            state,
            {"x": (2, LENGTH, WIDTH)},
            call={"mask": mask},
        )
    )


@pytest.mark.parametrize("bidirectional", [False, True])
def test_t5_buckets_far_away(agree, bidirectional):
    """Over 300 tokens with T5's default sizes its float32 logarithm gives the same buckets as ours."""
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
    """MPNet has T5's bias with 1/√d; its max_distance is always 128."""
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
    """Bloom adds slope · j, ours −slope · (i − j), which differ by a constant per row; float32."""
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
    """MPT adds slope · (j − L + 1), which differs from ours by a constant per row; float32.

    For a number of heads that is no power of two it takes every second slope of the next power, then
    the ones between, which are the paper's slopes.
    """
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
