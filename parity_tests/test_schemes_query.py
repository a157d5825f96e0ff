"""Schemes that look at the query against their papers' formulas, in plain loops."""

import math

import numpy as np
import pytest

from . import budget
from .both import TWINS, array, fill, filled, float64, normal, tensor
from .test_schemes_static import cells, irpe_rows

B, H, D = 2, 3, 4  # batch, heads, head_dim


def called(twin, scheme, q, k=None, **sizes):
    return array(scheme(tensor(twin, q), None if k is None else tensor(twin, k), **sizes))


def check(bias, expected):
    """Assert that every entry of bias (B, H, Lq, Lk) is expected(b, h, i, j)."""
    assert bias.shape[:2] == (B, H)
    for at in np.ndindex(bias.shape):
        assert budget.float64("bias", np.array(expected(*at)), bias[at]).ok, at


@TWINS
def test_shaw(twin):
    """e_ij = q_i · w^K[clip(j − i)] / √d as in the paper, where the table's order is reversed."""
    scheme, state = filled(twin, H, 7, "shaw", head_dim=D, max_distance=2)
    keys, q = state["relative_position_keys"][::-1], normal(B, H, 7, D)
    assert keys.shape == (5, D)
    check(
        called(twin, scheme, q),
        lambda b, h, i, j: q[b, h, i] @ keys[min(max(j - i, -2), 2) + 2] / math.sqrt(D),
    )


def relative_shift(x):
    """Return Transformer-XL's shift: with a padded column and a new shape, row i moves left."""
    rows, columns = x.shape
    padded = np.concatenate([np.zeros((rows, 1)), x], axis=1)
    return padded.reshape(columns + 1, rows)[1:].reshape(rows, columns)


@TWINS
def test_transformer_xl(twin):
    """Terms (b), (c) and (d) of the paper as its code computes them: with the relative shift."""
    memory, length = 3, 4
    scheme, state = filled(twin, H, length, "transformer_xl", head_dim=D)
    q, k = normal(B, H, length, D), normal(B, H, memory + length, D, seed=2)
    bias = called(twin, scheme, q, k, k_size=memory + length, q_offset=memory)
    frequencies = 1 / 10000 ** (np.arange(0, H * D, 2) / (H * D))
    angles = np.outer(np.arange(memory + length - 1, -1, -1), frequencies)  # distances, falling
    r = np.concatenate([np.sin(angles), np.cos(angles)], axis=1) @ state["r_net.weight"].T
    for b, h in np.ndindex(B, H):
        vectors = r.reshape(-1, H, D)[:, h]
        shifted = relative_shift((q[b, h] + state["r_r_bias"][h]) @ vectors.T)
        expected = (shifted + state["r_w_bias"][h] @ k[b, h].T) / math.sqrt(D)
        for i, j in np.ndindex(length, memory + length):
            if j <= memory + i:  # beyond the query the shift is wrong; the original masks those keys
                assert budget.float64("bias", expected[i, j], bias[b, h, i, j]).ok


@TWINS
def test_transformer_xl_looks_ahead_with_negative_sines(twin):
    """XLNet's bidirectional form: r(−Δ) has −sin and the same cos."""
    scheme, state = filled(twin, H, 3, "transformer_xl", head_dim=D)
    q, k = normal(B, H, 3, D), np.zeros((B, H, 3, D))
    frequencies = 1 / 10000 ** (np.arange(0, H * D, 2) / (H * D))

    def expected(b, h, i, j):
        angles = (i - j) * frequencies
        r = state["r_net.weight"] @ np.concatenate([np.sin(angles), np.cos(angles)])
        query = q[b, h, i] + state["r_r_bias"][h]
        return query @ r[h * D : (h + 1) * D] / math.sqrt(D)

    check(called(twin, scheme, q, k), expected)


@TWINS
def test_decomposed(twin):
    """SAM: q · R_h[Δy] + q · R_w[Δx], with q unscaled; 0 for prefix tokens."""
    scheme, state = filled(twin, H, (2, 3), "decomposed", head_dim=D, num_prefix_tokens=1)
    q, at = normal(B, H, 7, D), cells((2, 3))

    def expected(b, h, i, j):
        if 0 in (i, j):
            return 0.0
        dy, dx = np.subtract(at[i - 1], at[j - 1])
        return q[b, h, i] @ (state["rel_pos_h"][dy + 1] + state["rel_pos_w"][dx + 2])

    check(called(twin, scheme, q), expected)


@TWINS
def test_decomposed_with_fewer_keys(twin):
    """MViTv2's pooled keys, 2 × 2 for 4 × 6 queries: a key at every 2nd row and every 3rd column."""
    scheme, state = filled(twin, H, (4, 6), "decomposed", head_dim=D)
    q = normal(B, H, 24, D)

    def expected(b, h, i, j):
        (qy, qx), (ky, kx) = cells((4, 6))[i], cells((2, 2))[j]
        rows = qy - 2 * ky + 2 * (2 - 1), qx - 3 * kx + 3 * (2 - 1)
        return q[b, h, i] @ (state["rel_pos_h"][rows[0]] + state["rel_pos_w"][rows[1]])

    check(called(twin, scheme, q, k_size=(2, 2)), expected)


@TWINS
@pytest.mark.parametrize(("window", "halo"), [((2, 3), 0), ((4, 5), 1)])
def test_halo(twin, window, halo):
    """HaloNet: keys are the whole window, queries its middle, with offsets in the window."""
    scheme, state = filled(twin, H, window, "halo", head_dim=D, halo_size=halo)
    block = [(y, x) for y in range(halo, window[0] - halo) for x in range(halo, window[1] - halo)]
    q = normal(B, H, len(block), D)

    def expected(b, h, i, j):
        dy, dx = np.subtract(block[i], cells(window)[j])
        table_h, table_w = state["height_rel"], state["width_rel"]
        return q[b, h, i] @ (table_h[dy + window[0] - 1] + table_w[dx + window[1] - 1])

    check(called(twin, scheme, q), expected)


@TWINS
@pytest.mark.parametrize("method", ["euclidean", "quant", "product", "cross"])
@pytest.mark.parametrize("shared_head", [True, False])
def test_irpe_contextual(twin, method, shared_head):
    """On keys q · W_k[r(Δ)], on queries k · W_q[r(−Δ)], both divided by √d."""
    options = {"method": method, "shared_head": shared_head, "rpe_on": "qk", "head_dim": D}
    scheme, state = filled(twin, H, (4, 6), "irpe", **options)
    q, k, at = normal(B, H, 24, D), normal(B, H, 24, D, seed=2), cells((4, 6))

    def vector(table, h, i, j):
        rows = irpe_rows(method, np.subtract(at[i], at[j]))
        return sum(table[0 if shared_head else h, row] for row in rows)

    def expected(b, h, i, j):
        on_k = q[b, h, i] @ vector(state["lookup_table_k"], h, i, j)
        on_q = k[b, h, j] @ vector(state["lookup_table_q"], h, j, i)
        return (on_k + on_q) / math.sqrt(D)

    check(called(twin, scheme, q, k), expected)


@TWINS
def test_gated_t5(twin):
    """WavLM's code: gate = a (b c − 1) + 2, where a and b are sigmoids of sums of four numbers."""
    scheme, state = filled(twin, H, 5, "gated_t5", head_dim=D, num_buckets=8, max_distance=4)
    x, bucket = normal(B, H, 5, D), array(scheme.index)
    table = state["relative_position_bias_table"]

    def expected(b, h, i, j):
        projected = state["gru_rel_pos_linear.weight"] @ x[b, h, i] + state["gru_rel_pos_linear.bias"]
        gate_a, gate_b = (1 / (1 + math.exp(-part.sum())) for part in projected.reshape(2, 4))
        gate = gate_a * (gate_b * state["gru_rel_pos_const"][0, h, 0, 0] - 1) + 2
        return gate * table[bucket[i, j], h]

    check(called(twin, scheme, x), expected)


def attended(twin, rpb_kwargs, length, width=H * D):
    """Run an attention with random weights; return (x, out, state, (q, k, v) split into heads)."""
    module = twin.MultiHeadAttention(width, H, rpb_kwargs=rpb_kwargs, dtype=float64(twin))
    module, state = fill(twin, module)
    x = normal(B, length, width)
    qkv = x @ state["qkv.weight"].T + state["qkv.bias"]
    q, k, v = qkv.reshape(B, length, 3, H, D).transpose(2, 0, 3, 1, 4)
    return x, array(module(tensor(twin, x))), state, (q, k, v)


def projected(values, state):
    """Return the attention's output from its heads' values (B, H, L, d)."""
    merged = values.transpose(0, 2, 1, 3).reshape(B, values.shape[2], -1)
    return merged @ state["proj.weight"].T + state["proj.bias"]


def softmax(scores):
    p = np.exp(scores - scores.max(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True)


@TWINS
def test_shaw_adds_to_the_values(twin):
    """z_i = Σ_j α_ij (v_j + a^V_ij)"""
    rpb = {"window_size": 4, "bias_type": "shaw", "max_distance": 2}
    _, out, state, (q, k, v) = attended(twin, rpb, 4)
    keys, values = (state[f"rel_pos.relative_position_{name}"] for name in ("keys", "values"))
    expected = np.zeros_like(v)
    for b, h, i in np.ndindex(B, H, 4):
        rows = [min(max(i - j, -2), 2) + 2 for j in range(4)]
        scores = [q[b, h, i] @ (k[b, h, j] + keys[rows[j]]) / math.sqrt(D) for j in range(4)]
        p = softmax(np.array(scores))
        expected[b, h, i] = sum(p[j] * (v[b, h, j] + values[rows[j]]) for j in range(4))
    assert budget.float64("out", projected(expected, state), out).ok


@TWINS
def test_irpe_on_values(twin):
    rpb = {"window_size": (2, 3), "bias_type": "irpe", "rpe_on": "v", "method": "cross"}
    _, out, state, (q, k, v) = attended(twin, rpb, 6)
    table, at, expected = state["rel_pos.lookup_table_v"][0], cells((2, 3)), np.zeros_like(v)
    for b, h, i in np.ndindex(B, H, 6):
        p = softmax(k[b, h] @ q[b, h, i] / math.sqrt(D))
        for j in range(6):
            rows = irpe_rows("cross", np.subtract(at[i], at[j]))
            expected[b, h, i] += p[j] * (v[b, h, j] + table[rows].sum(0))
    assert budget.float64("out", projected(expected, state), out).ok


@TWINS
def test_neighbourhood_attention(twin):
    """A query attends to 3 × 3 keys, shifted inwards at the border; the rows count key − query."""
    grid, index = (3, 5), np.full((15, 15), -1)
    for i, (y, x) in enumerate(cells(grid)):
        top, left = (min(max(at - 1, 0), size - 3) for at, size in zip((y, x), grid, strict=True))
        for ky, kx in np.ndindex(3, 3):
            key = (top + ky) * 5 + left + kx
            index[i, key] = (top + ky - y + 2) * 5 + left + kx - x + 2
    rpb = {"window_size": grid, "bias_type": "custom", "index": index.tolist(), "num_rows": 25}
    _, out, state, (q, k, v) = attended(twin, rpb, 15)
    table, expected = state["rel_pos.relative_position_bias_table"], np.zeros_like(v)
    for b, h, i in np.ndindex(B, H, 15):
        seen = np.flatnonzero(index[i] >= 0)
        assert len(seen) == 9
        p = softmax(k[b, h, seen] @ q[b, h, i] / math.sqrt(D) + table[index[i, seen], h])
        expected[b, h, i] = p @ v[b, h, seen]
    assert budget.float64("out", projected(expected, state), out).ok


@TWINS
def test_the_gate_reads_the_input(twin):
    """WavLM gates with the layer's input split into heads, not with the projected query."""
    rpb = {"window_size": 4, "bias_type": "gated_t5", "num_buckets": 8, "max_distance": 5}
    x, out, state, (q, k, v) = attended(twin, rpb, 4)
    alone = twin.RelativePositionBias(
        H, 4, "gated_t5", head_dim=D, num_buckets=8, max_distance=5, dtype=float64(twin)
    )
    own = {n.removeprefix("rel_pos."): a for n, a in state.items() if n.startswith("rel_pos.")}
    alone.load_state_dict({n: tensor(twin, a) for n, a in own.items()})
    bias = called(twin, alone, x.reshape(B, 4, H, D).transpose(0, 2, 1, 3))
    expected = softmax(q @ k.swapaxes(-1, -2) / math.sqrt(D) + bias) @ v
    assert budget.float64("out", projected(expected, state), out).ok


@TWINS
@pytest.mark.parametrize(
    ("rpb", "tokens"),
    [
        ({"bias_type": "levit", "stride": 2}, [0, 2, 4, 10, 12, 14]),
        ({"bias_type": "halo", "halo_size": 1}, [6, 7, 8]),
    ],
)
def test_fewer_queries_than_keys(twin, rpb, tokens):
    """With LeViT's stride and HaloNet's block only these tokens of 3 × 5 are queries."""
    _, out, state, (q, k, v) = attended(twin, rpb | {"window_size": (3, 5)}, 15)
    scheme = twin.RelativePositionBias(
        H, (3, 5), dtype=float64(twin), **rpb | ({"head_dim": D} if "halo_size" in rpb else {})
    )
    own = {n.removeprefix("rel_pos."): a for n, a in state.items() if n.startswith("rel_pos.")}
    scheme.load_state_dict({n: tensor(twin, a) for n, a in own.items()})
    q = q[:, :, tokens]
    bias = called(twin, scheme, q) if "halo_size" in rpb else array(scheme())
    expected = softmax(q @ k.swapaxes(-1, -2) / math.sqrt(D) + bias) @ v
    assert out.shape == (B, len(tokens), H * D)
    assert budget.float64("out", projected(expected, state), out).ok


@TWINS
def test_few_sizes_are_remembered(twin):
    """After calls with many sizes the scheme has cached at most two of them."""
    scheme, _ = filled(twin, 2, (3, 3), "irpe_bias", method="cross")
    for height, width in np.ndindex(3, 3):
        size = (height + 1, width + 1)
        assert scheme(q_size=size, k_size=size).shape[1] == math.prod(size)
        assert len(scheme._bucket_rows._joints) <= 2
