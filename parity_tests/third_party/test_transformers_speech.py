"""transformers' speech models: WavLM, Wav2Vec2-Bert, Granite, SpeechT5, VITS."""

import torch
from torch import nn

from ._convert import TABLE, projections, renamed
from ._import import original
from .agreement import Agreement, attention

wavlm = original("transformers.models.wavlm.modeling_wavlm")
bert = original("transformers.models.wav2vec2_bert.modeling_wav2vec2_bert")
granite = original("transformers.models.granite_speech.modeling_granite_speech")
speecht5 = original("transformers.models.speecht5.modeling_speecht5")
vits = original("transformers.models.vits.modeling_vits")

WIDTH, HEADS = 12, 3
QKV = ("q_proj", "k_proj", "v_proj")
KEYS, VALUES = "rel_pos.relative_position_keys", "rel_pos.relative_position_values"


def shaw(length, reach, **options):
    return attention(WIDTH, HEADS, "shaw", length, max_distance=reach, **options)


def test_wavlm(agree):
    """The gate reads the layer's input split into heads, as in WavLM's code; in its paper it reads q."""
    layer = wavlm.WavLMAttention(WIDTH, HEADS, num_buckets=16, max_distance=20)

    def state(p):
        gates = renamed(p, "gru_rel_pos", "rel_pos.gru_rel_pos")
        return {**projections(p, QKV, "out_proj"), **gates, TABLE: p["rel_attn_embed.weight"]}

    agree(
        Agreement(
            attention(WIDTH, HEADS, "gated_t5", 24, num_buckets=16, max_distance=20),
            layer,
            lambda x: layer(x)[0],
            state,
            {"x": (2, 24, WIDTH)},
        )
    )


def test_wav2vec2_bert_relative_key(agree):
    """The original clamps key − query at −left and right; ours has the larger range on both sides."""
    left, right, length = 4, 2, 9
    config = bert.Wav2Vec2BertConfig(
        hidden_size=WIDTH,
        num_attention_heads=HEADS,
        position_embeddings_type="relative_key",
        left_max_position_embeddings=left,
        right_max_position_embeddings=right,
    )
    layer = bert.Wav2Vec2BertSelfAttention(config)
    rows = (-torch.arange(-left, left + 1)).clamp(-left, right) + left
    agree(
        Agreement(
            shaw(length, left, values=False),
            layer,
            lambda x: layer(x)[0],
            lambda p: {
                **projections(p, ("linear_q", "linear_k", "linear_v"), "linear_out"),
                KEYS: p["distance_embedding.weight"][rows],
            },
            {"x": (2, length, WIDTH)},
        )
    )


def test_granite_speech(agree):
    """The rows are of query − key; the layer norm before the attention is removed."""
    config = granite.GraniteSpeechEncoderConfig(
        hidden_dim=WIDTH, num_heads=HEADS, dim_head=4, context_size=7, max_pos_emb=8, num_layers=1
    )
    layer = granite.GraniteSpeechConformerAttention(config)
    layer.pre_norm = nn.Identity()
    distances = granite.GraniteSpeechCTCEncoder(config).attention_dists

    def state(p):
        k, v = p["to_kv.weight"].chunk(2)
        split = p | {"to_k.weight": k, "to_v.weight": v}
        return {**projections(split, ("to_q", "to_k", "to_v"), "to_out"), KEYS: p["rel_pos_emb.weight"]}

    agree(
        Agreement(
            shaw(7, 8, values=False, qkv_bias=False),
            layer,
            lambda x: layer(x, distances),
            state,
            {"x": (2, 7, WIDTH)},
            index=distances,
        )
    )


def test_speecht5(agree):
    """The original clips query − key at −m and m − 1; our table has its last row twice."""
    parts = nn.ModuleDict(
        {
            "attention": speecht5.SpeechT5Attention(WIDTH, HEADS),
            "bias": speecht5.SpeechT5RelativePositionalEncoding(WIDTH // HEADS, max_length=3),
        }
    )
    rows = torch.arange(7).clamp(max=5)

    def state(p):
        qkv = projections(p, [f"attention.{name}" for name in QKV], "attention.out_proj")
        return {**qkv, KEYS: p["bias.pe_k.weight"][rows]}

    agree(
        Agreement(
            shaw(9, 3, values=False),
            parts,
            lambda x: parts["attention"](x, position_bias=parts["bias"](x))[0],
            state,
            {"x": (2, 9, WIDTH)},
        )
    )


def test_vits(agree):
    """VITS: Shaw's keys and values, with rows of key − query.

    Beyond the window the original adds nothing, where the paper and ours clip the offset; so the
    sequence is no longer than the window covers.
    """
    config = vits.VitsConfig(hidden_size=WIDTH, num_attention_heads=HEADS, window_size=6)
    layer = vits.VitsAttention(config)
    agree(
        Agreement(
            shaw(7, 6),
            layer,
            lambda x: layer(x)[0],
            lambda p: {
                **projections(p, QKV, "out_proj"),
                KEYS: p["emb_rel_k"][0].flip(0),
                VALUES: p["emb_rel_v"][0].flip(0),
            },
            {"x": (2, 7, WIDTH)},
        )
    )
