"""transformers' models with Transformer-XL's attention: XLNet, the Conformers, Parakeet."""

import numpy as np
import pytest
import torch
from torch import nn

from ._convert import in_float64, projections, renamed
from ._import import original
from .agreement import Agreement, attention

xlnet = original("transformers.models.xlnet.modeling_xlnet")
conformer = original("transformers.models.wav2vec2_conformer.modeling_wav2vec2_conformer")
bert = original("transformers.models.wav2vec2_bert.modeling_wav2vec2_bert")
parakeet = original("transformers.models.parakeet.modeling_parakeet")

WIDTH, HEADS = 12, 3
LENGTH = 7


def sinusoids(positions):
    """Return sin and cos of every frequency, (positions, frequencies, 2)."""
    angles = np.outer(positions, 10000.0 ** -(np.arange(0, WIDTH, 2) / WIDTH))
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1)


def xlnet_state(p):
    """Map XLNet's projections (width, heads, d), which are ours transposed, except for the output's."""
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
    """XLNet in both directions, without segments; its residual and layer norm are removed."""
    config = xlnet.XLNetConfig(vocab_size=5, d_model=WIDTH, n_head=HEADS, n_layer=1, d_inner=WIDTH)
    model = xlnet.XLNetModel(config)
    layer = model.layer[0].rel_attn
    layer.layer_norm = nn.Identity()
    places = np.arange(LENGTH, -LENGTH, -1)
    encoding = in_float64(
        model.relative_positional_encoding(LENGTH, LENGTH),
        lambda at: sinusoids(at).swapaxes(1, 2).reshape(-1, 1, WIDTH),  # all sines first
        places,
    )

    def theirs(x):
        h = x.transpose(0, 1)
        r = encoding.expand(-1, 2, -1)
        return (layer(h, None, None, None, r, None)[0] - h).transpose(0, 1)

    agree(
        Agreement(
            attention(WIDTH, HEADS, "transformer_xl", LENGTH, qkv_bias=False),
            layer,
            theirs,
            xlnet_state,
            {"x": (2, LENGTH, WIDTH)},
        )
    )


FALLING = np.arange(LENGTH - 1, -LENGTH, -1)


def interleaved(embedding):
    """Return the Conformers' encoding in float64: positions fall from L − 1, sin and cos alternate."""
    theirs = embedding(torch.zeros(1, LENGTH, WIDTH))
    return in_float64(theirs, lambda at: sinusoids(at).reshape(1, len(at), WIDTH), FALLING)


def sines_first(weight):
    return torch.cat([weight[:, 0::2], weight[:, 1::2]], dim=1)


@pytest.mark.parametrize("model", ["Wav2Vec2Conformer", "Wav2Vec2Bert"])
def test_conformer(agree, model):
    """Transformer-XL's terms with sin and cos alternating, where ours has all sines first."""
    module = conformer if model == "Wav2Vec2Conformer" else bert
    config = getattr(module, f"{model}Config")(
        hidden_size=WIDTH,
        num_attention_heads=HEADS,
        position_embeddings_type="relative",
        max_source_positions=9,
    )
    layer = getattr(module, f"{model}SelfAttention")(config)
    embedding = getattr(module, f"{model}RelPositionalEmbedding")(config)
    encoding = interleaved(embedding)

    def state(p):
        r_net = sines_first(p["linear_pos.weight"])
        u, v = (renamed(p, f"pos_bias_{a}", f"rel_pos.r_{b}_bias") for a, b in ("uw", "vr"))
        return {
            **projections(p, ("linear_q", "linear_k", "linear_v"), "linear_out"),
            "rel_pos.r_net.weight": r_net,
            **u,
            **v,
        }

    agree(
        Agreement(
            attention(WIDTH, HEADS, "transformer_xl", LENGTH),
            layer,
            lambda x: layer(x, relative_position_embeddings=encoding)[0],
            state,
            {"x": (2, LENGTH, WIDTH)},
        )
    )


def test_parakeet(agree):
    """Parakeet has the same terms in its own code."""
    config = parakeet.ParakeetEncoderConfig(hidden_size=WIDTH, num_attention_heads=HEADS)
    config._attn_implementation = "sdpa"  # eager attention takes its softmax in float32
    layer = parakeet.ParakeetEncoderAttention(config, 0)
    embedding = parakeet.ParakeetEncoderRelPositionalEncoding(config)
    encoding = interleaved(embedding)

    def state(p):
        r_net = sines_first(p["relative_k_proj.weight"])
        u, v = (renamed(p, f"bias_{a}", f"rel_pos.r_{b}_bias") for a, b in ("uw", "vr"))
        return {
            **projections(p, ("q_proj", "k_proj", "v_proj"), "o_proj"),
            "rel_pos.r_net.weight": r_net,
            **u,
            **v,
        }

    agree(
        Agreement(
            attention(WIDTH, HEADS, "transformer_xl", LENGTH),
            layer,
            lambda x: layer(x, encoding.expand(2, -1, -1))[0],
            state,
            {"x": (2, LENGTH, WIDTH)},
        )
    )
