"""Other sizes at call time: the bias where the scheme allows them, a clear error where not."""

import numpy as np
import pytest

import numpy_ref

from . import budget
from .both import TWINS, array, filled, float64, normal, tensor

# Every scheme of one axis, with options for sequences of 7 tokens.
SEQUENCES = {
    "1d": {},
    "alibi": {"learned_slopes": True},
    "dynamic_1d": {},
    "fire": {"init_length": 4},
    "kerple": {},
    "sandwich": {},
    "t5": {"num_buckets": 8, "max_distance": 6},
    "sum": {"parts": [{"bias_type": "alibi"}, {"bias_type": "t5"}]},
    "gated_t5": {"head_dim": 4},
    "shaw": {"head_dim": 4, "max_distance": 3},
    "transformer_xl": {"head_dim": 4},
}
GRIDS = {
    "alibi2d": {},
    "dynamic": {"hidden_features": 4},
    "log_cpb": {"pretrained_window_size": 3, "hidden_features": 4},
    "rel_pos_mlp": {"hidden_features": 4, "drop": 0.0},
    "irpe_bias": {},
    "2d": {},
    "maxvit": {},
    "levit": {},
    "halo": {"head_dim": 4},
}


# Prefix tokens get no bias here, and a causal scheme hides the other tokens from them.
NO_PREFIX_BIAS = {
    **{name: SEQUENCES[name] for name in ("alibi", "dynamic_1d", "fire", "kerple", "sandwich", "t5")},
    **{f"{name}-causal": {"causal": True} for name in ("alibi", "fire", "kerple", "sandwich")},
    **{name: GRIDS[name] for name in ("alibi2d", "dynamic", "log_cpb", "maxvit", "rel_pos_mlp")},
}


def bias(twin, scheme, q, k, **sizes):
    if scheme.looks_at_query:
        return array(scheme(tensor(twin, q), tensor(twin, k), **sizes))
    return array(scheme(**sizes))


def test_every_scheme_of_one_axis_is_here():
    of_one_axis = {n for n, scheme in numpy_ref.SCHEMES.items() if scheme.window_ndim == 1}
    assert of_one_axis | {"sum"} == set(SEQUENCES)


@TWINS
@pytest.mark.parametrize("bias_type", SEQUENCES)
def test_a_cache_gives_the_rows_of_the_whole(twin, bias_type):
    """With q_offset = 5 the bias is rows 5 and 6 of that of a sequence of 7, as with a key cache."""
    scheme, _ = filled(twin, 3, 7, bias_type, **SEQUENCES[bias_type])
    q, k = normal(2, 3, 7, 4), normal(2, 3, 7, 4, seed=2)
    whole = bias(twin, scheme, q, k)
    last = bias(twin, scheme, q[:, :, 5:], k, q_size=2, k_size=7, q_offset=5)
    assert budget.float64("bias", whole[..., 5:, :], last).ok
    assert budget.float64(
        "bias", whole[..., :3, :5], bias(twin, scheme, q[:, :, :3], k[:, :, :5], q_size=3, k_size=5)
    ).ok


@TWINS
@pytest.mark.parametrize("bias_type", SEQUENCES.keys() - {"1d"})
def test_a_longer_sequence_contains_the_shorter(twin, bias_type):
    """Equal offsets have the same bias for every length, also for lengths beyond the window."""
    scheme, _ = filled(twin, 3, 4, bias_type, **SEQUENCES[bias_type])
    q, k = normal(2, 3, 9, 4), normal(2, 3, 9, 4, seed=2)
    longer = bias(twin, scheme, q, k, q_size=9, k_size=9)
    assert longer.shape[-2:] == (9, 9)
    short = bias(twin, scheme, q[:, :, :4], k[:, :, :4])
    assert budget.float64("bias", longer[..., :4, :4], short).ok


@TWINS
@pytest.mark.parametrize("bias_type", GRIDS)
def test_a_smaller_grid_is_a_part_of_the_window(twin, bias_type):
    scheme, _ = filled(twin, 3, (3, 4), bias_type, **GRIDS[bias_type])
    q = normal(2, 3, 12, 4)
    grid = q.reshape(2, 3, 3, 4, 4)[:, :, :2, :3].reshape(2, 3, 6, 4)
    whole = bias(twin, scheme, q, q).reshape(*bias(twin, scheme, q, q).shape[:-2], 3, 4, 3, 4)
    part = bias(twin, scheme, grid, q[:, :, :3], q_size=(2, 3), k_size=(3, 1))
    expected = whole[..., :2, :3, :, :1].reshape(part.shape)
    assert budget.float64("bias", expected, part).ok


@TWINS
@pytest.mark.parametrize("q_first", [True, False], ids=["fewer_queries", "more_queries"])
@pytest.mark.parametrize("name", NO_PREFIX_BIAS)
def test_prefix_tokens_stand_beside_any_sizes(twin, name, q_first):
    """Prefix tokens change no bias between other tokens and have none themselves."""
    (bias_type, *causal), options = name.split("-"), NO_PREFIX_BIAS[name]
    window, small = (7, 3) if bias_type in SEQUENCES else ((3, 4), (2, 3))
    sizes = {"q_size": small, "k_size": window} if q_first else {"q_size": window, "k_size": small}
    alone, _ = filled(twin, 2, window, bias_type, **options)
    beside, _ = filled(twin, 2, window, bias_type, num_prefix_tokens=2, **options)
    expected, found = array(alone(**sizes)), array(beside(**sizes))
    assert found.shape == (2, expected.shape[1] + 2, expected.shape[2] + 2)
    np.testing.assert_array_equal(found[:, 2:, 2:], expected)
    assert not found[:, :, :2].any()
    assert (found[:, :2, 2:] == (-np.inf if causal else 0)).all()


@TWINS
@pytest.mark.parametrize("q_first", [True, False], ids=["fewer_queries", "more_queries"])
@pytest.mark.parametrize("bias_type", ["shaw", "transformer_xl", "decomposed", "halo"])
def test_prefix_tokens_stand_beside_any_sizes_of_a_scheme_that_looks_at_the_query(
    twin, bias_type, q_first
):
    """Prefix tokens have no bias but Transformer-XL's u · k, which does not depend on the offset."""
    options = SEQUENCES.get(bias_type, {"head_dim": 4})
    window, small = (7, 3) if bias_type in SEQUENCES else ((3, 4), (2, 3))
    sizes = {"q_size": small, "k_size": window} if q_first else {"q_size": window, "k_size": small}
    alone, state = filled(twin, 2, window, bias_type, **options)
    beside, _ = filled(twin, 2, window, bias_type, num_prefix_tokens=2, **options)
    lq, lk = (2 + int(np.prod(size)) for size in sizes.values())
    q, k = normal(1, 2, lq, 4), normal(1, 2, lk, 4, seed=2)
    found = bias(twin, beside, q, k, **sizes)
    expected = np.zeros_like(found)
    if bias_type == "transformer_xl":
        expected += np.einsum("hd,bhjd->bhj", state["r_w_bias"], k)[:, :, None] / 2
    expected[..., 2:, 2:] = bias(twin, alone, q[:, :, 2:].copy(), k[:, :, 2:].copy(), **sizes)
    assert budget.float64("bias", expected, found).ok


@TWINS
@pytest.mark.parametrize("bias_type", ["alibi2d", "dynamic", "irpe_bias", "log_cpb", "rel_pos_mlp"])
def test_a_larger_grid_contains_the_window(twin, bias_type):
    scheme, _ = filled(twin, 3, (2, 3), bias_type, **GRIDS[bias_type])
    larger = array(scheme(q_size=(4, 5), k_size=(4, 5))).reshape(3, 4, 5, 4, 5)
    part = larger[:, :2, :3, :2, :3].reshape(3, 6, 6)
    assert budget.float64("bias", array(scheme()), part).ok


@TWINS
@pytest.mark.parametrize(
    ("arguments", "options", "sizes", "message"),
    [
        ((3, 4, "1d"), {}, {"q_size": 5}, "covers the offsets of its window"),
        ((3, 4, "1d"), {}, {"q_size": 1, "q_offset": 4}, "covers the offsets of its window"),
        ((3, (2, 3), "2d"), {}, {"k_size": (2, 4)}, "covers the offsets of its window"),
        ((3, (1, 2, 3), "3d"), {}, {"k_size": (2, 2, 3)}, "covers the offsets of its window"),
        ((3, (2, 3), "maxvit"), {}, {"k_size": (3, 3)}, "covers the offsets of its window"),
        ((3, (3, 3), "levit"), {"stride": 2}, {"q_size": (3, 2)}, r"q_size is \(3, 2\), .* covers"),
        ((3, 3, "custom"), {"index": [[0, 1, 2]] * 3}, {"q_size": 2}, "has the sizes of its index"),
        ((3, (2, 3), "log_cpb"), {}, {"q_offset": 1}, "q_offset is 1, but 'log_cpb'"),
        (
            (3, 4, "t5"),
            {"num_prefix_tokens": 1},
            {"q_offset": 1},
            "q_offset is 1, but 't5' with 1 prefix",
        ),
        ((3, 4, "t5"), {}, {"q_offset": -1}, "q_offset is -1"),
        ((3, 4, "t5"), {}, {"q_size": 0}, "q_size is 0"),
        ((3, 4, "sum"), {"parts": [{"bias_type": "1d"}]}, {"q_size": 6}, "covers the offsets"),
        (
            (3, 4, "sum"),
            {"parts": [{}, {"bias_type": "1d", "window_size": 16}]},
            {"q_size": 2},
            "of its own",
        ),
    ],
)
def test_what_is_not_covered_says_so(twin, arguments, options, sizes, message):
    scheme = twin.RelativePositionBias(*arguments, **options)
    with pytest.raises(ValueError, match=message):
        scheme(**sizes)


@TWINS
@pytest.mark.parametrize("prefix", [0, 1])
@pytest.mark.parametrize("sizes", [{"q_size": (4, 1)}, {"q_size": (1, 5)}, {"k_size": (4, 6)}])
def test_halo_covers_its_window_only(twin, prefix, sizes):
    """Queries begin halo_size within the window; one more row of them has offsets beyond the table."""
    options = {"head_dim": 4, "halo_size": 1, "num_prefix_tokens": prefix, "dtype": float64(twin)}
    scheme = twin.RelativePositionBias(2, (4, 5), "halo", **options)
    assert scheme(tensor(twin, normal(1, 2, prefix + 6, 4))).shape == (1, 2, prefix + 6, prefix + 20)
    queries = prefix + int(np.prod(sizes.get("q_size", (2, 3))))
    with pytest.raises(ValueError, match="covers the offsets of its window"):
        scheme(tensor(twin, normal(1, 2, queries, 4)), **sizes)


@TWINS
def test_decomposed_says_which_sides_fit(twin):
    scheme = twin.RelativePositionBias(2, (4, 4), "decomposed", head_dim=4, dtype=float64(twin))
    q = tensor(twin, normal(1, 2, 4, 4))
    with pytest.raises(ValueError, match=r"q_size is \(2, 2\) and k_size \(3, 4\), but the tables"):
        scheme(q, q_size=(2, 2), k_size=(3, 4))


@TWINS
def test_attention_over_another_length(twin):
    """With a scheme of one axis attention accepts other lengths; for a grid the length is not enough."""
    x = tensor(twin, normal(1, 6, 8))
    for bias_type in ("t5", "shaw", "transformer_xl", "gated_t5", "fire", "sum"):
        rpb = {"window_size": 4, "bias_type": bias_type, "num_prefix_tokens": 1}
        rpb |= SEQUENCES["sum"] if bias_type == "sum" else {}
        assert twin.MultiHeadAttention(8, 2, rpb_kwargs=rpb, dtype=float64(twin))(x).shape == (1, 6, 8)
    for bias_type in ("2d", "decomposed", "irpe"):
        rpb = {"window_size": 2, "bias_type": bias_type}
        attn = twin.MultiHeadAttention(8, 2, rpb_kwargs=rpb, dtype=float64(twin))
        with pytest.raises(ValueError, match=r"got 6 tokens, but window_size \(2, 2\)"):
            attn(x)


@TWINS
def test_a_part_may_have_a_window_of_its_own(twin):
    """Parts with windows 49 and 7 × 7 are added; the sum's window is the one with most axes."""
    parts = [{"bias_type": "1d"}, {"bias_type": "2d", "window_size": (7, 7)}]
    scheme, state = filled(twin, 2, 49, "sum", parts=parts)
    assert scheme.window_size == (7, 7)
    assert scheme.num_tokens == 49
    one, two = (state[f"parts.{n}.relative_position_bias_table"] for n in range(2))
    rows = [array(part.index) for part in scheme.parts]
    expected = np.moveaxis(one[rows[0]] + two[rows[1]], -1, 0)
    assert budget.float64("bias", expected, array(scheme())).ok


@TWINS
def test_spread_positions_are_rounded_down_exactly(twin):
    """For 24 queries and 22 keys the row is ⌊i − j · 24/22 + 21 · 24/22⌋; floats err in places."""
    scheme = twin.RelativePositionBias(1, (24, 24), "decomposed", head_dim=2)
    rows = array(scheme.axis_rows(24, 22, 24))
    for i, j in np.ndindex(24, 22):
        assert rows[i, j] == (i * 22 - j * 24 + 21 * 24) // 22
