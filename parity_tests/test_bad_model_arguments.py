"""Bad arguments of blocks and models, and bad arrays at call time: the error names the argument."""

import numpy as np
import pytest

from .both import TWINS, tensor


@TWINS
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"embed_dim": 10, "num_heads": 3}, "embed_dim 10 is not divisible by num_heads 3"),
        ({"img_size": 9}, "not divisible by patch_size"),
        ({"position": "absolut"}, "position is 'absolut'"),
        ({"position": "none", "rpb_kwargs": {"bias_type": "2d"}}, "but position is 'none'"),
        ({"global_pool": "max"}, "global_pool is 'max'"),
        ({"class_token": False}, "global_pool is 'token', but class_token is False"),
        (
            {"global_pool": "avg", "class_token": True, "rpb_kwargs": {"num_prefix_tokens": 0}},
            "num_prefix_tokens 0, the model has 1",
        ),
        (
            {"position": "none", "use_abs_pos_emb": True},
            "use_abs_pos_emb is True, but position is 'none'",
        ),
        ({"drop_path_rate": 1.0}, r"drop_path_rate is 1\.0"),
        ({"rpb_kwargs": {"num_heads": 2}}, "rpb_kwargs has num_heads 2, the attention has 3"),
        ({"rpb_kwargs": {"num_prefix_tokens": 2}}, "num_prefix_tokens 2, the model has 1"),
        ({"rpb_kwargs": {"window_size": (3, 3)}}, r"window_size \(3, 3\), the patches make a grid of"),
        ({"rpb_kwargs": {"bias_type": "levit", "stride": 2}}, "residual block needs one for each"),
        (
            {"rpb_kwargs": {"bias_type": "shaw", "head_dim": 3}},
            "rpb_kwargs has head_dim 3, the attention has 4",
        ),
        (
            {"position": "shared_relative", "rpb_kwargs": {"bias_type": "shaw"}},
            "'shaw' looks at the query",
        ),
        ({"rpb_kwargs": {"bias_type": "2.5d"}}, "bias_type is '2.5d'"),
        ({"img_size": (8, 4), "rpb_kwargs": {"window_size": (1, 2)}}, r"window_size \(1, 2\)"),
    ],
)
def test_bad_models_are_named(twin, options, message):
    small = {"img_size": 8, "embed_dim": 12, "depth": 1, "num_heads": 3}
    with pytest.raises(ValueError, match=message):
        twin.VisionTransformer(**small | options)


@TWINS
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"head_dim": 0}, ValueError, "head_dim is 0"),
        ({"head_dim": 4.0}, TypeError, r"head_dim is 4\.0"),
        ({"scale": float("nan")}, ValueError, "scale is nan"),
        ({"scale": "1"}, TypeError, "scale is '1'"),
        ({"scale": 1.0, "cosine_attention": True}, ValueError, r"scale is 1\.0, but cosine_attention"),
        (
            {"head_dim": 3, "rpb_kwargs": {"head_dim": 4}},
            ValueError,
            "has head_dim 4, the attention has 3",
        ),
        ({"init_values": "1"}, TypeError, "init_values is '1'"),
        ({"init_values": float("inf")}, ValueError, "init_values is inf"),
        ({"norm_eps": -1.0}, ValueError, r"norm_eps is -1\.0"),
        ({"res_post_norm": True, "init_values": "1"}, TypeError, "init_values is '1'"),
    ],
)
def test_bad_options_of_a_block_are_named(twin, options, error, message):
    rpb = {"window_size": 3, "bias_type": "shaw"} | options.get("rpb_kwargs", {})
    with pytest.raises(error, match=message):
        twin.Block(8, 2, **options | {"rpb_kwargs": rpb})


@TWINS
@pytest.mark.parametrize(
    ("arguments", "options", "q", "k", "message"),
    [
        (
            (2, 3, "shaw"),
            {},
            (1, 2, 4, 5),
            None,
            r"q has shape \(1, 2, 4, 5\), expected \(any, 2, 3, 5\)",
        ),
        ((2, 3, "shaw"), {}, (1, 2, 3, 4), None, "q has shape"),
        ((2, 3, "gated_t5"), {}, (1, 3, 3, 5), None, "q has shape"),
        ((2, 3, "transformer_xl"), {}, (1, 2, 3, 5), None, "k is None, but a 'transformer_xl' bias"),
        ((2, 3, "transformer_xl"), {}, (1, 2, 3, 5), (1, 2, 4, 5), "k has shape"),
        ((2, (1, 3), "irpe"), {"rpe_on": "qk"}, (1, 2, 3, 5), None, "k is None, but a 'irpe' bias"),
        ((2, (1, 3), "decomposed"), {}, (2, 3, 5), None, "q has shape"),
    ],
)
def test_bad_queries_are_named(twin, arguments, options, q, k, message):
    scheme = twin.RelativePositionBias(*arguments, head_dim=5, **options)
    q, k = (None if shape is None else tensor(twin, np.zeros(shape, np.float32)) for shape in (q, k))
    with pytest.raises(ValueError, match=message):
        scheme(q, k)


@TWINS
@pytest.mark.parametrize(
    ("index", "error", "message"),
    [
        ([[0, 4]], ValueError, r"index has entries in \[0, 4\], expected \[0, 3\)"),
        ([[[0, -2]]], ValueError, "index has entries"),
        ([0, 1], ValueError, "expected 2 or 3 axes"),
        ([[True]], TypeError, "index has dtype bool"),
    ],
)
def test_bad_indices_at_call_time_are_named(twin, index, error, message):
    scheme = twin.RelativePositionBias(2, 2, "custom", index=[[0, 1], [2, 0]])
    with pytest.raises(error, match=message):
        scheme(index=index)


@TWINS
def test_bad_bias_is_named_beside_a_scheme_that_looks_at_the_query(twin):
    attn = twin.MultiHeadAttention(8, 2, rpb_kwargs={"window_size": 4, "bias_type": "shaw"})
    x, bias = (tensor(twin, np.zeros(shape, np.float32)) for shape in ((1, 4, 8), (3, 4, 4)))
    with pytest.raises(ValueError, match=r"bias has shape \(3, 4, 4\)"):
        attn(x, bias=bias)


@TWINS
def test_fewer_queries_than_the_attention_has_are_named(twin):
    rpb = {"window_size": 4, "bias_type": "custom", "index": [[0, 1, 2, 3]]}
    attn = twin.MultiHeadAttention(8, 2, rpb_kwargs=rpb)
    with pytest.raises(ValueError, match=r"index has shape \(1, 4\), expected \(4, 4\)"):
        attn(tensor(twin, np.zeros((1, 4, 8), np.float32)))


@TWINS
def test_stochastic_depth_needs_a_batch(twin):
    layer = twin.nn.DropPath(0.5).train()
    with pytest.raises(ValueError, match=r"x has shape \(\), expected the batch as its first axis"):
        layer(tensor(twin, np.array(1.0)))


@TWINS
def test_a_dtype_is_refused_before_a_shape(twin):
    """Both twins look at the dtype first, so that an argument with both faults has one type of error."""
    attn = twin.MultiHeadAttention(1, 1, use_relative_position=False)
    with pytest.raises(TypeError, match="x"):
        attn(tensor(twin, np.array(1.0)))
