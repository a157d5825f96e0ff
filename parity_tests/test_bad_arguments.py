"""Bad arguments of schemes and attention: the error names the argument."""

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
@pytest.mark.parametrize("bias_type", ["alibi", "fire", "kerple", "sandwich"])
def test_causal_is_true_or_false(twin, bias_type):
    with pytest.raises(TypeError, match="causal is 'yes'"):
        twin.RelativePositionBias(2, 4, bias_type, causal="yes")
