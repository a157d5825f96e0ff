"""Bad arguments of schemes, attention and models: the error names the argument."""

import numpy as np
import pytest

import numpy_ref
import numpy_ref.kernels
import numpy_ref.ops
from numpy_ref.position import scheme_options

from .both import TWINS, tensor


@TWINS
@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((0, 4), {}, ValueError, "num_heads is 0"),
        ((2.5, 4), {}, TypeError, r"num_heads is 2\.5"),
        ((2, (3, 0)), {}, ValueError, "window_size is 0"),
        ((2, (3, 4, 5)), {}, ValueError, "window_size is"),
        ((2, 3.5), {}, TypeError, r"window_size is 3\.5"),
        ((2, 4, "5d"), {}, ValueError, "bias_type is '5d', expected one of"),
        ((2, 4), {"causal": True}, TypeError, "has no option causal; it knows num_prefix_tokens"),
        ((2, 4), {"num_prefix_tokens": -1}, ValueError, "num_prefix_tokens is -1"),
        ((2, 4), {"init_std": -1}, ValueError, "init_std is -1"),
        ((2, 4, "t5"), {"num_buckets": 6}, ValueError, "num_buckets is 6"),
        ((2, 4, "t5"), {"max_distance": 8}, ValueError, "max_distance is 8"),
        ((2, 4, "t5"), {"bidirectional": "no"}, TypeError, "bidirectional is 'no'"),
        ((2, 4, "log_cpb"), {"pretrained_window_size": 0}, ValueError, "pretrained_window_size is 0"),
        (
            (3, 4, "alibi"),
            {"asymmetric": True},
            ValueError,
            "asymmetric is True, expected an even number",
        ),
        ((2, 4, "alibi"), {"learned_slopes": 1}, TypeError, "learned_slopes is 1"),
        ((2, 4, "kerple"), {"kernel": "cubic"}, ValueError, "kernel is 'cubic'"),
        ((2, 4, "sandwich"), {"sinusoid_dim": 5}, ValueError, "sinusoid_dim is 5, expected an even"),
        ((2, 4, "fire"), {"init_length": 0}, ValueError, "init_length is 0"),
        ((2, 4, "rel_pos_mlp"), {"mode": "swim"}, ValueError, "mode is 'swim'"),
        ((2, 4, "rel_pos_mlp"), {"drop": 1.0}, ValueError, r"drop is 1\.0"),
        ((2, 4, "dynamic"), {"residual": 0}, TypeError, "residual is 0"),
        ((2, 4, "dynamic_1d"), {"depth": 0}, ValueError, "depth is 0"),
        ((2, 4, "levit"), {"stride": 0}, ValueError, "stride is 0"),
        ((2, (4, 4), "3d"), {}, ValueError, "window_size is"),
        ((2, 4, "shaw"), {}, TypeError, "head_dim"),
        ((2, 4, "shaw"), {"head_dim": 0}, ValueError, "head_dim is 0"),
        ((1, 4, "transformer_xl"), {"head_dim": 3}, ValueError, "num_heads · head_dim is 3"),
        ((2, 4, "halo"), {"head_dim": 4, "halo_size": 2}, ValueError, "more than twice halo_size 2"),
        ((2, 4, "irpe"), {"head_dim": 4, "method": "manhattan"}, ValueError, "method is 'manhattan'"),
        ((2, 4, "irpe"), {"head_dim": 4, "rpe_on": "kk"}, ValueError, "rpe_on is 'kk'"),
        ((2, 4, "irpe"), {"head_dim": 4, "ratio": 0}, ValueError, "ratio is 0"),
        ((2, 4, "irpe_bias"), {"rpe_on": "q"}, TypeError, "'irpe_bias' has no option rpe_on"),
        ((2, 4, "irpe_bias"), {"shared_head": 1}, TypeError, "shared_head is 1"),
        ((2, 2, "custom"), {}, TypeError, r"index is None, expected integers \(Lq, Lk\)"),
        ((2, 2, "custom"), {"index": [[0.5, 1]]}, TypeError, "index has dtype"),
        ((2, 2, "custom"), {"index": [0, 1]}, ValueError, r"index has shape \(2,\), expected 2 axes"),
        (
            (2, 3, "custom"),
            {"index": [[0, 1]]},
            ValueError,
            r"index has shape \(1, 2\), expected \(any, 3\)",
        ),
        ((2, 2, "custom"), {"index": [[0, -2]]}, ValueError, r"index has entries in \[-2, 0\]"),
        ((2, 2, "custom"), {"index": [[0, 3]], "num_rows": 3}, ValueError, r"expected \[0, 3\)"),
        ((2, 4, "sum"), {}, ValueError, "parts is empty"),
        ((2, 4, "sum"), {"parts": "1d"}, TypeError, "parts is '1d', expected a sequence of dicts"),
        ((2, 4, "sum"), {"parts": [{"bias_type": "x"}]}, ValueError, "bias_type is 'x'"),
        (
            (2, 4, "sum"),
            {"parts": [{"bias_type": "shaw", "head_dim": 2}]},
            ValueError,
            "parts has 'shaw'",
        ),
        ((2, 4, "sum"), {"parts": [{}, {"window_size": 5}]}, ValueError, "the same number of tokens"),
        (
            (2, 4, "sum"),
            {"parts": [{"num_heads": 4}]},
            ValueError,
            "parts has num_heads, which is the sum's",
        ),
        ((2, 4, "sum"), {"parts": [{1: 2}]}, TypeError, "parts has the key 1"),
        (
            (2, 2, "sum"),
            {"parts": [{"bias_type": "custom", "index": [[0, 1]]}]},
            ValueError,
            "as many queries",
        ),
        (("4", 4, "alibi"), {"asymmetric": True}, TypeError, "num_heads is '4'"),
        ((2, 4), {"init_std": "small"}, TypeError, "init_std is 'small'"),
        ((2, 4, "irpe"), {"head_dim": 4, "ratio": float("inf")}, ValueError, "ratio is inf"),
        ((2, 4), {"dtype": "int32"}, TypeError, "dtype is"),
        ((2, 4), {"generator": 7}, TypeError, "generator is a int"),
    ],
)
def test_bad_arguments_are_named(twin, arguments, options, error, message):
    with pytest.raises(error, match=message):
        twin.RelativePositionBias(*arguments, **options)


NEEDS = {"custom": {"index": [[0, 1, 2]] * 3}, "sum": {"parts": [{"bias_type": "alibi"}]}}


@TWINS
@pytest.mark.parametrize("bias_type", numpy_ref.SCHEMES)
@pytest.mark.parametrize(
    ("argument", "bad", "error"),
    [
        ("num_heads", 0, ValueError),
        ("init_std", -1, ValueError),
        ("num_prefix_tokens", -1, ValueError),
        ("dtype", "int32", TypeError),
        ("generator", 7, TypeError),
    ],
)
def test_what_every_scheme_is_given_is_checked(twin, bias_type, argument, bad, error):
    """A scheme that ignores the argument must check it too, as one without parameters the generator."""
    options = options_of(bias_type)
    twin.RelativePositionBias(**options)
    with pytest.raises(error, match=f"^{argument} is "):
        twin.RelativePositionBias(**options | {argument: bad})


def options_of(bias_type):
    """Return the options that the scheme needs."""
    ndim = numpy_ref.SCHEMES[bias_type].window_ndim
    options = {"num_heads": 2, "window_size": (1, 3, 1)[:ndim] if ndim in (2, 3) else 3}
    options |= {"bias_type": bias_type} | NEEDS.get(bias_type, {})
    return options | ({"head_dim": 4} if numpy_ref.SCHEMES[bias_type].looks_at_query else {})


COUNTS = (
    "depth", "halo_size", "head_dim", "hidden_features", "max_distance", "num_buckets", "sinusoid_dim",
    "stride",
)  # fmt: skip


@TWINS
@pytest.mark.parametrize(
    ("bias_type", "option"),
    [(name, o) for name in numpy_ref.SCHEMES for o in scheme_options(name) if o in COUNTS],
)
@pytest.mark.parametrize("bad", [64.0, "64", True])
def test_a_count_is_an_integer(twin, bias_type, option, bad):
    """A float of that value is refused, though it would work in the arithmetic."""
    with pytest.raises(TypeError, match=f"^{option} is {bad!r}, expected an integer"):
        twin.RelativePositionBias(**options_of(bias_type) | {option: bad})


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
def test_the_gate_of_gated_t5_needs_heads_that_share_the_input(twin):
    """The gate reads the layer's input split into heads, so num_heads · head_dim must be its width."""
    rpb = {"window_size": 3, "bias_type": "gated_t5"}
    attn = twin.MultiHeadAttention(8, 2, rpb_kwargs=rpb, head_dim=6)
    with pytest.raises(ValueError, match=r"x has shape \(1, 3, 8\), expected \(any, any, 12\)"):
        attn(tensor(twin, np.zeros((1, 3, 8), np.float32)))


@TWINS
def test_a_bound_window_says_so(twin):
    scheme = twin.RelativePositionBias(2, (2, 3), "2d")
    with pytest.raises(ValueError, match="covers the offsets of its window"):
        scheme(q_size=(3, 3))
    attn = twin.MultiHeadAttention(4, 2, rpb_kwargs={"window_size": (2, 3)})
    x = np.zeros((1, 7, 4), np.float32)
    with pytest.raises(ValueError, match="got 7 tokens"):
        attn(tensor(twin, x))


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
@pytest.mark.parametrize("bias_type", ["alibi", "fire", "kerple", "sandwich"])
def test_causal_is_true_or_false(twin, bias_type):
    with pytest.raises(TypeError, match="causal is 'yes'"):
        twin.RelativePositionBias(2, 4, bias_type, causal="yes")


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
