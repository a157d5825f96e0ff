"""`scheme.resized(window)`: every scheme's parameters for another window, in both twins."""

import numpy as np
import pytest

import numpy_ref

from . import budget
from .both import TWINS, array, fill, filled, float64, normal, tensor

TABLE = "relative_position_bias_table"
INDEX = [[abs(i - j) for j in range(6)] for i in range(6)]
OLD, NEW = (2, 3), (4, 3)

# bias_type -> its options, the parameters that are interpolated, and the options that change.
GROWING = {
    "1d": ({}, (TABLE,), {}),
    "2d": ({"num_prefix_tokens": 1}, (TABLE,), {}),
    "maxvit": ({}, (TABLE,), {}),
    "levit": ({"num_prefix_tokens": 2}, (TABLE,), {}),
    "decomposed": ({"head_dim": 4}, ("rel_pos_h", "rel_pos_w"), {}),
    "halo": ({"head_dim": 4}, ("height_rel", "width_rel"), {}),
    "sum": (
        {"parts": [{"bias_type": "t5"}, {"bias_type": "1d"}, {"bias_type": "log_cpb"}]},
        (f"parts.1.{TABLE}",),
        {
            "parts": [
                {"bias_type": "t5"},
                {"bias_type": "1d"},
                {"bias_type": "log_cpb", "pretrained_window_size": OLD},
            ]
        },
    ),
}
AS_THEY_ARE = {
    "alibi": ({"learned_slopes": True}, {}),
    "alibi2d": ({}, {}),
    "dynamic": ({}, {}),
    "dynamic_1d": ({}, {}),
    "fire": ({"init_length": 4}, {}),
    "gated_t5": ({"head_dim": 4}, {}),
    "irpe": ({"head_dim": 4, "rpe_on": "qkv"}, {}),
    "irpe_bias": ({}, {}),
    "kerple": ({}, {}),
    "log_cpb": ({}, {"pretrained_window_size": OLD}),
    "rel_pos_mlp": ({"mode": "swin", "drop": 0.0}, {"pretrained_window_size": OLD}),
    "rel_pos_mlp-cr": ({"mode": "cr", "drop": 0.0}, {}),
    "sandwich": ({}, {}),
    "shaw": ({"head_dim": 4}, {}),
    "t5": ({"num_buckets": 8, "max_distance": 6}, {}),
    "transformer_xl": ({"head_dim": 4}, {}),
}
OTHERS = {"3d", "custom"}


def test_every_scheme_is_here():
    assert {*GROWING, *(name.partition("-")[0] for name in AS_THEY_ARE), *OTHERS} == set(
        numpy_ref.SCHEMES
    )


def rebuilt(twin, scheme, resized, window, **options):
    """Return the scheme for another window, with the parameters in `resized`."""
    options |= {"dtype": float64(twin), **resized.options}
    new = twin.RelativePositionBias(scheme.num_heads, window, scheme.bias_type, **options)
    new.load_state_dict(resized.state)
    return new


def bias(twin, scheme, length, **sizes):
    if not scheme.looks_at_query:
        return array(scheme(**sizes))
    q, k = (tensor(twin, normal(2, scheme.num_heads, length, 4, seed=seed)) for seed in (1, 2))
    return array(scheme(q, k, **sizes))


@TWINS
@pytest.mark.parametrize("method", ["bicubic", "geometric", "linear"])
@pytest.mark.parametrize("name", GROWING)
def test_tables_grow(twin, name, method):
    options, interpolated, changed = GROWING[name]
    scheme, state = filled(twin, 3, OLD, name, **options)
    resized = scheme.resized(NEW, method)
    assert resized.interpolated == interpolated
    assert resized.options == changed
    new = rebuilt(twin, scheme, resized, NEW, **options)
    assert np.isfinite(bias(twin, new, new.num_tokens)).all()
    for key in state.keys() - set(interpolated):
        np.testing.assert_array_equal(array(resized.state[key]), state[key])
    other, _ = filled(numpy_ref, 3, OLD, name, **options)
    for key, ours in other.resized(NEW, method).state.items():
        assert budget.float64(key, ours, array(resized.state[key])).ok, key


@TWINS
@pytest.mark.parametrize("name", AS_THEY_ARE)
def test_others_need_no_resizing(twin, name):
    """The scheme for the new window gives what the old one gives when called for that size."""
    bias_type, (options, changed) = name.partition("-")[0], AS_THEY_ARE[name]
    scheme, state = filled(twin, 3, OLD, bias_type, **options)
    resized = scheme.resized(NEW)
    assert resized.interpolated == ()
    assert resized.options == changed
    assert resized.report.startswith("nothing to interpolate")
    assert resized.state.keys() == state.keys()
    for key in state:
        np.testing.assert_array_equal(array(resized.state[key]), state[key])
    new = rebuilt(twin, scheme, resized, NEW, **options)
    expected = bias(twin, scheme, 12, q_size=NEW, k_size=NEW)
    np.testing.assert_array_equal(bias(twin, new, 12), expected)


@TWINS
def test_coordinates_keep_the_scale_of_the_first_window(twin):
    scheme, _ = filled(twin, 2, 4, "log_cpb")
    first = scheme.resized(6)
    assert first.options == {"pretrained_window_size": (4, 4)}
    second = rebuilt(twin, scheme, first, 6).resized(9)
    assert second.options == first.options
    assert second.report.endswith("needs pretrained_window_size=(4, 4)")


@TWINS
def test_the_state_is_a_copy(twin):
    for name in ("2d", "t5"):
        scheme, state = filled(twin, 3, OLD, name)
        scheme.resized(OLD).state[TABLE][:] = 0
        np.testing.assert_array_equal(array(scheme.state_dict()[TABLE]), state[TABLE])


def same_bias(twin, name, options, to_2d):
    """Return the biases of a scheme and of "2d" with the same numbers, after both were resized."""
    scheme, state = filled(twin, 3, OLD, name, **options)
    grid = twin.RelativePositionBias(3, OLD, "2d", dtype=float64(twin), **options)
    grid.load_state_dict({TABLE: tensor(twin, to_2d(state[TABLE]))})
    np.testing.assert_array_equal(array(scheme()), array(grid()))
    return [
        array(rebuilt(twin, each, each.resized((5, 4)), (5, 4), **options)()) for each in (scheme, grid)
    ]


@TWINS
def test_levit_is_resized_as_the_table_of_all_offsets(twin):
    def to_2d(table):
        rows = [abs(dy) * OLD[1] + abs(dx) for dy in range(-1, 2) for dx in range(-2, 3)]
        return table[[*rows, 6, 7, 8]]

    levit, grid = same_bias(twin, "levit", {"num_prefix_tokens": 1}, to_2d)
    assert budget.float64("bias", grid, levit).ok


@TWINS
def test_maxvit_is_resized_as_2d(twin):
    maxvit, grid = same_bias(twin, "maxvit", {}, lambda planes: planes.reshape(3, -1).T[::-1].copy())
    assert budget.float64("bias", grid, maxvit).ok


@TWINS
def test_a_video_window_grows_along_each_axis(twin):
    scheme, state = filled(twin, 2, (2, 3, 3), "3d", num_prefix_tokens=1)
    found = array(scheme.resized((2, 3, 5), "linear").state[TABLE])
    along = twin.resize_table(
        tensor(twin, state[TABLE][:75].reshape(15, 5, 2)[4].copy()), 3, 5, "linear"
    )
    assert budget.float64("row", array(along), found[:135].reshape(15, 9, 2)[4]).ok
    np.testing.assert_array_equal(found[135:], state[TABLE][75:])


@TWINS
@pytest.mark.parametrize(
    ("bias_type", "options", "window", "method", "match"),
    [
        ("custom", {"index": INDEX}, (4, 3), "bicubic", "^new_window_size .*index of a 'custom' bias"),
        ("2d", {}, (4, 0), "bicubic", "^new_window_size is 0"),
        ("2d", {}, (4, 3, 2), "bicubic", "^new_window_size is"),
        ("2d", {}, (4, 3), "nearest", "^method is 'nearest'"),
        ("t5", {}, (4, 3), "nearest", "^method is 'nearest'"),
        ("alibi2d", {}, (4, 0), "bicubic", "^new_window_size is 0"),
    ],
)
def test_what_cannot_be_resized_is_refused(twin, bias_type, options, window, method, match):
    scheme, _ = filled(twin, 3, OLD, bias_type, **options)
    with pytest.raises(ValueError, match=match):
        scheme.resized(window, method)


@TWINS
def test_windows_of_a_parts_own_and_halos_are_refused(twin):
    parts = [{"bias_type": "1d", "window_size": 6}, {"bias_type": "2d"}]
    scheme, _ = filled(twin, 3, OLD, "sum", parts=parts)
    with pytest.raises(ValueError, match=r"^new_window_size is .*a part has a window_size of its own"):
        scheme.resized((4, 3))
    scheme, _ = filled(twin, 3, (5, 5), "halo", head_dim=4, halo_size=1)
    assert scheme.resized((4, 7)).interpolated == ("height_rel", "width_rel")
    with pytest.raises(ValueError, match=r"^new_window_size is \(2, 7\), expected more than twice"):
        scheme.resized((2, 7))


@TWINS
def test_a_model_takes_the_resized_state(twin):
    """As rpb_kwargs of a larger model: a resized table in its place, all keys matched."""
    options = {"embed_dim": 16, "depth": 1, "num_heads": 2, "dtype": float64(twin)}
    small, state = fill(twin, twin.VisionTransformer(img_size=8, **options))
    large = twin.VisionTransformer(img_size=12, **options)
    for name, scheme in small.rel_pos_biases().items():
        state |= {f"{name}.{key}": array(x) for key, x in scheme.resized((3, 3)).state.items()}
    large.load_state_dict({name: tensor(twin, a) for name, a in state.items()})
    assert np.isfinite(array(large.eval()(tensor(twin, normal(2, 1, 12, 12))))).all()
