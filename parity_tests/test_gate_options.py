"""The checks of modules: their options, of whatever type and size, and states that do not fit."""

import inspect
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import numpy_ref
import numpy_ref.nn
import torch_impl.nn

from .both import TWINS, array, filled
from .cases import CASES
from .run import given_of, run_numpy
from .run_torch import run_torch

VIT = {"img_size": 8, "patch_size": 4, "embed_dim": 12, "depth": 2, "num_heads": 3}
SWIN = {"img_size": 8, "patch_size": 2, "in_chans": 1, "num_classes": 5, "embed_dim": 12}
SWIN |= {"depths": (2, 2), "num_heads": (3, 3), "window_size": 2}
INDEX = np.array([[0, 1, 2], [2, 0, 1], [1, 2, 0]])


@TWINS
def test_the_largest_option_is_taken_and_one_more_is_not(twin):
    largest = 2**31 - 1
    assert twin.RelativePositionBias(2, 4, "t5", max_distance=largest)
    with pytest.raises(ValueError, match=f"max_distance is {largest + 1}, expected at most {largest}"):
        twin.RelativePositionBias(2, 4, "t5", max_distance=largest + 1)


def custom(twin, index):
    return filled(twin, 2, 3, "custom", index=index)


@TWINS
@pytest.mark.parametrize("dtype", [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)])
def test_an_index_may_have_any_integer_dtype(twin, dtype):
    (found, _), (expected, _) = (custom(twin, index) for index in (INDEX.astype(dtype), INDEX))
    np.testing.assert_array_equal(array(found()), array(expected()))


@TWINS
@pytest.mark.parametrize("entry", [2**63, 2**64 - 1])
def test_an_entry_that_no_int64_holds_is_named(twin, entry):
    index = INDEX.astype(np.uint64)
    index[1, 2] = entry
    with pytest.raises(ValueError, match=rf"index has the entry {entry}\b"):
        custom(twin, index)


FLAGS = [
    (bias_type, option.name)
    for bias_type, scheme in numpy_ref.SCHEMES.items()
    for option in inspect.signature(scheme).parameters.values()
    if isinstance(option.default, bool)
]


@TWINS
@pytest.mark.parametrize(("bias_type", "flag"), FLAGS)
def test_a_schemes_flag_is_true_or_false(twin, bias_type, flag):
    head_dim = inspect.signature(numpy_ref.SCHEMES[bias_type]).parameters.get("head_dim")
    options = {"head_dim": 4} if head_dim and head_dim.default is head_dim.empty else {}
    for value in (True, False):
        assert twin.RelativePositionBias(2, 4, bias_type, **options, **{flag: value})
    for no_bool in (1, 0, np.True_, "yes", None):
        with pytest.raises(TypeError, match=rf"{flag} is .*, expected True or False"):
            twin.RelativePositionBias(2, 4, bias_type, **options, **{flag: no_bool})


@pytest.mark.parametrize("nn", [numpy_ref.nn, torch_impl.nn], ids=["numpy", "torch"])
@pytest.mark.parametrize("no_bool", [1, 0, np.True_, "yes", None])
def test_a_linear_layers_bias_is_true_or_false(nn, no_bool):
    with pytest.raises(TypeError, match=r"bias is .*, expected True or False"):
        nn.Linear(2, 3, bias=no_bool)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda state: state.pop("qkv.weight"), r"missing \['qkv.weight'\]"),
        (lambda state: state.update(extra=np.ones(1)), r"unexpected \['extra'\]"),
        (lambda state: state.update({"qkv.weight": np.ones((1, 1))}), r"qkv.weight has shape \(1, 1\)"),
        (lambda state: state.update({"proj.bias": np.ones(1)}), r"proj.bias has shape \(1,\)"),
    ],
)
def test_a_state_that_is_not_the_modules_changes_nothing(spoil, message):
    """A wrong array is refused even if it would broadcast, and before any other array is loaded."""
    module = numpy_ref.MultiHeadAttention(4, 2, rpb_kwargs={"window_size": 4})
    before = module.state_dict()
    state = {name: a + 1 for name, a in before.items()}
    spoil(state)
    with pytest.raises(ValueError, match=message):
        module.load_state_dict(state)
    for name, a in module.state_dict().items():
        np.testing.assert_array_equal(a, before[name])


def narrow(value):
    """Return the value with each integer in the narrowest NumPy dtype that holds it."""
    if isinstance(value, bool) or not isinstance(value, int | tuple | list | dict):
        return value
    if isinstance(value, dict):
        return {name: v if name == "index" else narrow(v) for name, v in value.items()}
    if isinstance(value, int):
        return np.min_scalar_type(value).type(value)
    return type(value)(map(narrow, value))


WITH_OPTIONS = [c for c in CASES if c.kind == "scheme" and c.variant != "one_token"]
for kind in ("attention", "block", "vit", "swin_block", "swin"):
    WITH_OPTIONS += [c for c in CASES if c.kind == kind and len(c.options) > 4][:2]


@pytest.mark.parametrize("case", WITH_OPTIONS, ids=lambda case: case.id)
def test_integers_of_numpy_are_pythons(case):
    """`max_distance=np.uint8(100)` gives the same bits as 100, in both twins, without overflow."""
    given = given_of(case, "float64")
    narrowed = replace(case, options=narrow(case.options), call=narrow(case.call))
    for run in (partial(run_numpy, implementation="numpy"), run_torch):
        expected, found = run(given), run(replace(given, case=narrowed))
        assert expected.keys() == found.keys()
        for name in expected:
            np.testing.assert_array_equal(expected[name], found[name], err_msg=name)


@TWINS
@pytest.mark.parametrize("no_integer", [True, np.True_, 3.0, np.float32(3), "3", None, [3]])
def test_what_is_no_integer_is_a_type_error(twin, no_integer):
    for options in (
        {"num_heads": no_integer, "window_size": 4},
        {"num_heads": 2, "window_size": (no_integer, 4)},
    ):
        with pytest.raises(TypeError, match=r"(num_heads|window_size) is .*, expected an int"):
            twin.RelativePositionBias(**options)
    for bias_type, name in [("t5", "max_distance"), ("levit", "stride"), ("fire", "init_length")]:
        with pytest.raises(TypeError, match=f"{name} is"):
            twin.RelativePositionBias(2, 4, bias_type, **{name: no_integer})
    with pytest.raises(TypeError, match="q_offset is"):
        twin.RelativePositionBias(2, 4, "alibi")(q_offset=no_integer)


SWIN_BOOLS = ("always_partition", "strict_img_size", "qkv_bias", "features_only")
SWIN_BOOLS += ("use_relative_position",)
VIT_BOOLS = ("cosine_attention", "k_bias", "fc_norm", "res_post_norm", "use_abs_pos_emb")


@TWINS
@pytest.mark.parametrize("no_bool", [1, 0, np.True_, "yes", None])
def test_what_is_neither_true_nor_false_is_a_type_error(twin, no_bool):
    for build, name in [
        (lambda **o: twin.RelativePositionBias(2, 4, "t5", **o), "bidirectional"),
        (lambda **o: twin.MultiHeadAttention(4, 2, rpb_kwargs={"window_size": 4}, **o), "qkv_bias"),
        (lambda **o: twin.MultiHeadAttention(4, 2, rpb_kwargs={"window_size": 4}, **o), "k_bias"),
        *(
            (lambda **o: twin.Block(4, 2, rpb_kwargs={"window_size": 4}, **o), name)
            for name in ("k_bias", "res_post_norm")
        ),
        *((lambda **o: twin.VisionTransformer(**VIT, **o), name) for name in VIT_BOOLS),
        *((lambda **o: twin.SwinTransformer(**SWIN, **o), name) for name in SWIN_BOOLS),
    ]:
        with pytest.raises(TypeError, match=f"{name} is"):
            build(**{name: no_bool})


@TWINS
@pytest.mark.parametrize("no_bool", [1, 0, np.True_, "yes"])
def test_class_token_is_true_or_false_or_none(twin, no_bool):
    with pytest.raises(TypeError, match="class_token is"):
        twin.VisionTransformer(**VIT, class_token=no_bool)


HUGE = [
    ("2d", {"num_heads": 10**9}, {}),
    ("alibi", {"num_heads": 10**9}, {}),
    ("kerple", {"num_heads": 10**30}, {}),
    ("1d", {"window_size": 10**9}, {}),
    ("2d", {"window_size": (10**5, 10**5)}, {}),
    ("alibi2d", {"window_size": 10**30}, {}),
    ("1d", {"num_prefix_tokens": 10**9}, {}),
    ("alibi", {}, {"q_size": 10**9}),
    ("alibi", {}, {"k_size": 10**30}),
    ("alibi", {}, {"q_offset": 10**30}),
    ("t5", {"num_buckets": 10**30}, {}),
    ("t5", {"max_distance": 10**30}, {}),
    ("levit", {"stride": 10**30}, {}),
    ("fire", {"init_length": 10**30}, {}),
    ("fire", {"hidden_features": 10**30}, {}),
    ("dynamic_1d", {"depth": 10**9}, {}),
    ("sandwich", {"sinusoid_dim": 2**40}, {}),
    ("custom", {"index": [[0, 1, 1, 0]] * 4, "num_rows": 10**30}, {}),
    ("shaw", {"head_dim": 10**30}, {}),
    ("shaw", {"head_dim": 4, "max_distance": 10**30}, {}),
    ("halo", {"head_dim": 4, "halo_size": 10**30}, {}),
    ("irpe", {"head_dim": 4, "ratio": 1e300}, {}),
]


@TWINS
@pytest.mark.parametrize(("bias_type", "options", "call"), HUGE)
def test_an_absurd_size_is_refused_at_once(twin, bias_type, options, call):
    with pytest.raises((ValueError, MemoryError)):
        twin.RelativePositionBias(
            **{"num_heads": 2, "window_size": 4, "bias_type": bias_type} | options
        )(**call)


@TWINS
@pytest.mark.parametrize(
    "options",
    [
        {"depth": 10**9},
        {"embed_dim": 3 * 10**30},
        {"num_heads": 0},
        {"mlp_ratio": 1e300},
        {"mlp_ratio": 1.7e308},
    ],
)
def test_an_absurd_model_is_refused_at_once(twin, options):
    with pytest.raises(ValueError, match=rf"({next(iter(options))}|hidden_features) is"):
        twin.VisionTransformer(**VIT | options)


@TWINS
@pytest.mark.parametrize("rpb_kwargs", [5, "2d", [("window_size", 4)], {"window_size": 4, 1: 2}])
def test_options_of_the_scheme_are_a_dict_of_names(twin, rpb_kwargs):
    with pytest.raises(TypeError, match="rpb_kwargs"):
        twin.MultiHeadAttention(4, 2, rpb_kwargs=rpb_kwargs)
    with pytest.raises(TypeError, match="rpb_kwargs"):
        twin.VisionTransformer(**VIT, rpb_kwargs=rpb_kwargs)


@TWINS
@pytest.mark.parametrize("distance", [100, 127, 200])
def test_a_narrow_distance_is_that_of_pythons(distance, twin):
    """−100 and 2 · 200 + 1 do not fit into uint8, which once gave a wrong index."""
    schemes = [
        twin.RelativePositionBias(
            2, 150, "shaw", head_dim=2, max_distance=d, generator=np.random.default_rng(0)
        )
        for d in (np.uint8(distance), distance)
    ]
    ours, pythons = (array(scheme.index) for scheme in schemes)
    np.testing.assert_array_equal(ours, pythons)
    ours, pythons = (array(scheme.relative_position_keys.data) for scheme in schemes)
    np.testing.assert_array_equal(ours, pythons)


@TWINS
@pytest.mark.parametrize(
    "dtype", [float("nan"), np.float64("nan"), np.float32(1), np.ones(2), 64, b"f4", [1]]
)
def test_a_number_is_no_dtype(twin, dtype):
    for build in (twin.nn.LayerNorm, partial(twin.nn.Linear, 3)):
        with pytest.raises(TypeError, match=r"^dtype is"):
            build(4, dtype=dtype)


@TWINS
@pytest.mark.parametrize(
    ("rate", "error"), [(1, ValueError), (-0.1, ValueError), ("0", TypeError), (True, TypeError)]
)
def test_a_drop_rate_has_the_name_that_it_was_given_by(twin, rate, error):
    with pytest.raises(error, match=r"^drop is"):
        twin.nn.Mlp(4, drop=rate)
    with pytest.raises(error, match=r"^proj_drop is"):
        twin.Block(4, 2, use_relative_position=False, proj_drop=rate)
