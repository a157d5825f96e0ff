"""Schemes against their papers' formulas in plain loops, for faults that both twins could share."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import numpy_ref

from . import budget
from .both import TWINS, array, filled


@TWINS
@pytest.mark.parametrize("length", [1, 2, 7])
def test_1d(twin, length):
    scheme, state = filled(twin, 3, length, "1d")
    table, bias = state["relative_position_bias_table"], array(scheme())
    assert table.shape == (2 * length - 1, 3)
    for h, i, j in np.ndindex(3, length, length):
        assert bias[h, i, j] == table[i - j + length - 1, h]


@TWINS
@pytest.mark.parametrize("window", [(1, 1), (2, 2), (3, 5), (5, 2)])
def test_2d(twin, window):
    """Swin's row is (Δy + h − 1)(2w − 1) + Δx + w − 1, with Δ = query − key and patches row-major."""
    scheme, state = filled(twin, 2, window, "2d")
    height, width = window
    table, bias = state["relative_position_bias_table"], array(scheme())
    assert table.shape == ((2 * height - 1) * (2 * width - 1), 2)
    for qy, qx, ky, kx in np.ndindex(height, width, height, width):
        row = (qy - ky + height - 1) * (2 * width - 1) + qx - kx + width - 1
        np.testing.assert_array_equal(bias[:, qy * width + qx, ky * width + kx], table[row])


@TWINS
@pytest.mark.parametrize("prefix", [1, 3])
def test_prefix_rows(twin, prefix):
    """BEiT's last three rows: prefix to patch, patch to prefix, prefix to prefix (query to key)."""
    scheme, state = filled(twin, 2, (2, 3), "2d", num_prefix_tokens=prefix)
    plain = array(twin.RelativePositionBias(2, (2, 3), "2d").index)
    table, index = state["relative_position_bias_table"], array(scheme.index)
    rows = 3 * 5
    assert table.shape == (rows + 3, 2)
    assert index.shape == (prefix + 6, prefix + 6)
    assert (index[:prefix, prefix:] == rows).all()
    assert (index[prefix:, :prefix] == rows + 1).all()
    assert (index[:prefix, :prefix] == rows + 2).all()
    np.testing.assert_array_equal(index[prefix:, prefix:], plain)


def exact_bucket(offset, num_buckets, max_distance, bidirectional):
    """Return T5's bucket, with the largest t for which (n/m)^(B−m) ≥ (D/m)^t in integer arithmetic."""
    start = 0
    if bidirectional:
        num_buckets //= 2
        start, distance = (num_buckets if offset < 0 else 0), abs(offset)
    else:
        distance = max(offset, 0)
    exact = num_buckets // 2
    if distance < exact:
        return start + distance
    steps, t = num_buckets - exact, 0
    while t + 1 < steps and distance**steps * exact ** (t + 1) >= max_distance ** (t + 1) * exact**steps:
        t += 1
    return start + exact + t


@TWINS
@settings(max_examples=40, deadline=None)
@given(
    quarter=st.integers(1, 16), beyond=st.integers(1, 200), bidirectional=st.booleans(), data=st.data()
)
def test_t5_buckets_are_exact(twin, quarter, beyond, bidirectional, data):
    """Rounding of the logarithm must not move an offset across a bucket's edge."""
    buckets = 4 * quarter
    distance = buckets // (4 if bidirectional else 2) + beyond
    scheme = twin.RelativePositionBias(
        1, 1, "t5", num_buckets=buckets, max_distance=distance, bidirectional=bidirectional
    )
    drawn = data.draw(st.lists(st.integers(-300, 300), min_size=1, max_size=30))
    offsets = [*drawn, distance, -distance]
    given_offsets = np.array(offsets) if twin is numpy_ref else torch.tensor(offsets)
    expected = [exact_bucket(o, buckets, distance, bidirectional) for o in offsets]
    assert array(scheme.bucket(given_offsets)).tolist() == expected


@TWINS
@pytest.mark.parametrize("bidirectional", [True, False])
def test_t5(twin, bidirectional):
    scheme, state = filled(twin, 2, 4, "t5", bidirectional=bidirectional, num_prefix_tokens=1)
    bias, table = array(scheme(q_size=20, k_size=170)), state["relative_position_bias_table"]
    assert not bias[:, 0].any()
    assert not bias[:, :, 0].any()
    for i, j in np.ndindex(20, 170):
        row = table[exact_bucket(i - j, 32, 128, bidirectional)]
        np.testing.assert_array_equal(bias[:, 1 + i, 1 + j], row)


PAPER_SLOPES = {
    1: [2**-8],
    2: [2**-4, 2**-8],
    8: [2.0**-n for n in range(1, 9)],
    6: [2**-2, 2**-4, 2**-6, 2**-8, 2**-1, 2**-3],
    12: [2.0**-n for n in range(1, 9)] + [2**-0.5, 2**-1.5, 2**-2.5, 2**-3.5],
}


@TWINS
@pytest.mark.parametrize("heads", PAPER_SLOPES)
@pytest.mark.parametrize("causal", [False, True])
def test_alibi(twin, heads, causal):
    """The bias is −slope · distance; heads beyond a power of two have every second slope of the next."""
    scheme, state = filled(twin, heads, 5, "alibi", causal=causal)
    assert not state
    bias = array(scheme())
    for h, i, j in np.ndindex(heads, 5, 5):
        expected = -math.inf if causal and j > i else -PAPER_SLOPES[heads][h] * abs(i - j)
        assert bias[h, i, j] == expected or math.isclose(bias[h, i, j], expected)


@TWINS
def test_causal_alibi_leaks_nothing_through_the_prefix(twin):
    bias = array(filled(twin, 2, 4, "alibi", causal=True, num_prefix_tokens=2)[0]())
    assert (bias[:, :2, 2:] == -np.inf).all()
    assert not bias[:, :, :2].any()


@TWINS
@pytest.mark.parametrize(("window", "pretrained"), [((3, 5), None), ((4, 2), (8, 6)), ((1, 1), None)])
def test_log_cpb(twin, window, pretrained):
    """Swin V2: 16 σ(W₂ relu(W₁ c + b₁)), c = sign(δ) log₂(1 + |δ|) / 3, δ = 8 Δ / (pretrained − 1)."""
    options = {} if pretrained is None else {"pretrained_window_size": pretrained}
    scheme, state = filled(twin, 2, window, "log_cpb", hidden_features=5, **options)
    bias = array(scheme())
    extent = [max(size - 1, 1) for size in pretrained or window]
    for q, k in np.ndindex(math.prod(window), math.prod(window)):
        coordinates = []
        for axis in range(2):
            offset = np.unravel_index(q, window)[axis] - np.unravel_index(k, window)[axis]
            delta = 8 * offset / extent[axis]
            coordinates.append(math.copysign(math.log2(1 + abs(delta)) / 3, delta))
        hidden = np.maximum(state["cpb_mlp.0.weight"] @ coordinates + state["cpb_mlp.0.bias"], 0)
        expected = 16 / (1 + np.exp(-state["cpb_mlp.2.weight"] @ hidden))
        assert budget.float64("bias", expected, bias[:, q, k]).ok


@TWINS
def test_cosine_attention(twin):
    """The output is softmax(τ cos(q, k) + B) v with τ = exp(min(logit_scale, ln 100))."""
    dtype = np.float64 if twin is numpy_ref else torch.float64
    attn = twin.MultiHeadAttention(
        8, 2, rpb_kwargs={"window_size": 5, "bias_type": "1d"}, cosine_attention=True, dtype=dtype
    )
    rng = np.random.default_rng(0)
    state = {name: rng.standard_normal(tuple(a.shape)) for name, a in attn.state_dict().items()}
    state["logit_scale"] = np.array([1.3, 7.0]).reshape(2, 1, 1)  # the second is beyond ln 100
    attn.load_state_dict(
        state if twin is numpy_ref else {n: torch.from_numpy(a) for n, a in state.items()}
    )
    x = rng.standard_normal((1, 5, 8))
    out = array(attn(x if twin is numpy_ref else torch.from_numpy(x)))[0]
    q, k, v = np.split(x[0] @ state["qkv.weight"].T + state["qkv.bias"], 3, axis=-1)
    merged = np.zeros((5, 8))
    for h in range(2):
        part = slice(4 * h, 4 * h + 4)
        tau = min(math.exp(state["logit_scale"][h, 0, 0]), 100)
        for i in range(5):
            cosines = [
                q[i, part] @ k[j, part] / np.linalg.norm(q[i, part]) / np.linalg.norm(k[j, part])
                for j in range(5)
            ]
            table = [state["rel_pos.relative_position_bias_table"][i - j + 4, h] for j in range(5)]
            p = np.exp(tau * np.array(cosines) + table)
            merged[i, part] = p / p.sum() @ v[:, part]
    expected = merged @ state["proj.weight"].T + state["proj.bias"]
    assert budget.float64("out", expected, out).ok


@TWINS
def test_shifted_window_mask_order(twin):
    """Window b of the batch uses mask[b mod nW], as the windows of an image are adjacent in Swin."""
    dtype = np.float64 if twin is numpy_ref else torch.float64
    attn = twin.MultiHeadAttention(4, 1, use_relative_position=False, dtype=dtype)
    make = (lambda a: a) if twin is numpy_ref else torch.from_numpy
    x, mask = np.random.default_rng(0).standard_normal((6, 3, 4)), np.zeros((2, 1, 3, 3))
    mask[1, 0, :, 1:] = -100
    weights = array(attn.attention_weights(make(x), mask=make(mask)))
    assert (weights[0::2, ..., 1:] > 1e-6).all()
    assert (weights[1::2, ..., 1:] < 1e-30).all()
