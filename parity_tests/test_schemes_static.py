"""Schemes that do not look at the query against their papers' formulas, in plain loops."""

import math

import numpy as np
import pytest

from . import budget
from .both import TWINS, array, filled

SLOPES = {4: [2**-2, 2**-4, 2**-6, 2**-8], 3: [2**-4, 2**-8, 2**-2], 2: [2**-4, 2**-8]}


def check(bias, expected):
    """Assert that every entry of bias (H, Lq, Lk) is expected(h, i, j), including −inf."""
    assert bias.size
    for at in np.ndindex(bias.shape):
        assert budget.float64("bias", np.array(expected(*at)), bias[at]).ok, at


def cells(grid):
    return list(np.ndindex(*grid))


@TWINS
@pytest.mark.parametrize("window", [(2, 3, 4), (3, 1, 2), (1, 1, 1)])
def test_3d(twin, window):
    """Video Swin's row has the strides (2h − 1)(2w − 1), 2w − 1 and 1."""
    scheme, state = filled(twin, 2, window, "3d")
    t, h, w = window
    table, at = state["relative_position_bias_table"], cells(window)
    assert table.shape == ((2 * t - 1) * (2 * h - 1) * (2 * w - 1), 2)

    def expected(head, i, j):
        dt, dy, dx = np.add(np.subtract(at[i], at[j]), (t - 1, h - 1, w - 1))
        return table[(dt * (2 * h - 1) + dy) * (2 * w - 1) + dx, head]

    check(array(scheme()), expected)


@TWINS
@pytest.mark.parametrize(("window", "stride"), [((4, 4), 1), ((3, 5), 1), ((5, 4), 2)])
def test_levit(twin, window, stride):
    """LeViT's code: a new row for each new pair of absolute offsets, in the order they occur."""
    scheme, state = filled(twin, 2, window, "levit", stride=stride)
    queries = [(y, x) for y, x in cells(window) if y % stride == 0 and x % stride == 0]
    rows = {}
    for query in queries:
        for key in cells(window):
            rows.setdefault(tuple(np.abs(np.subtract(query, key))), len(rows))
    table = state["relative_position_bias_table"]
    bias = array(scheme())
    assert bias.shape == (2, len(queries), math.prod(window))

    def expected(h, i, j):
        return table[rows[tuple(np.abs(np.subtract(queries[i], cells(window)[j])))], h]

    check(bias, expected)


@TWINS
def test_maxvit(twin):
    """CoAtNet: plane[k − q + size − 1] along both axes."""
    scheme, state = filled(twin, 3, (2, 4), "maxvit")
    planes, at = state["relative_position_bias_table"], cells((2, 4))
    assert planes.shape == (3, 3, 7)
    check(
        array(scheme()),
        lambda h, i, j: planes[h, at[j][0] - at[i][0] + 1, at[j][1] - at[i][1] + 3],
    )


@TWINS
@pytest.mark.parametrize("learned", [False, True])
def test_alibi2d(twin, learned):
    scheme, state = filled(twin, 3, (2, 3), "alibi2d", learned_slopes=learned)
    slopes = np.exp(state["log_slopes"]) if learned else SLOPES[3]
    at = cells((2, 3))
    check(array(scheme()), lambda h, i, j: -slopes[h] * math.dist(at[i], at[j]))


@TWINS
def test_asymmetric_alibi(twin):
    """Heads 0 and 1 look back, heads 2 and 3 ahead; each half has the slopes of two heads."""
    bias = array(filled(twin, 4, 5, "alibi", asymmetric=True)[0]())

    def expected(h, i, j):
        seen = j <= i if h < 2 else j >= i
        return -SLOPES[2][h % 2] * abs(i - j) if seen else -math.inf

    check(bias, expected)


@TWINS
@pytest.mark.parametrize("causal", [False, True])
def test_kerple_log(twin, causal):
    scheme, state = filled(twin, 3, 6, "kerple", causal=causal)
    r1, r2 = np.exp(state["log_p"]), np.exp(state["log_a"])

    def expected(h, i, j):
        return -math.inf if causal and j > i else -r1[h] * math.log(1 + r2[h] * abs(i - j))

    check(array(scheme()), expected)


@TWINS
def test_kerple_power(twin):
    scheme, state = filled(twin, 3, 6, "kerple", kernel="power")
    r1, r2 = np.exp(state["log_a"]), 2 / (1 + np.exp(-state["logit_p"]))
    check(array(scheme()), lambda h, i, j: -r1[h] * abs(i - j) ** r2[h])


@TWINS
@pytest.mark.parametrize("init_length", [3, 512])
def test_fire(twin, init_length):
    """MLP(ψ(i − j) / ψ(max(i, L))) with ψ(x) = log(|c x| + 1) and i from 0."""
    scheme, state = filled(twin, 2, 6, "fire", hidden_features=4, init_length=init_length)
    c, threshold = state["c"], abs(state["L_multiplier"] * init_length)

    def psi(x):
        return math.log(abs(c * x) + 1)

    def expected(h, i, j):
        x = psi(i - j) / (psi(max(i, threshold)) + 1e-6)
        hidden = np.maximum(state["mlp.0.weight"][:, 0] * x + state["mlp.0.bias"], 0)
        return state["mlp.2.weight"][h] @ hidden + state["mlp.2.bias"][h]

    check(array(scheme()), expected)


@TWINS
def test_sandwich(twin):
    """p_i · p_j of sinusoidal embeddings, divided by the compression ratio 8h/H of head h = 1 … H."""
    bias = array(filled(twin, 4, 7, "sandwich", sinusoid_dim=6)[0]())

    def embedding(position):
        angles = [position / 10000 ** (2 * n / 6) for n in range(3)]
        return np.array([math.sin(a) for a in angles] + [math.cos(a) for a in angles])

    check(bias, lambda h, i, j: embedding(i) @ embedding(j) / ((h + 1) * 8 / 4))


@TWINS
@pytest.mark.parametrize("mode", ["cr", "swin"])
def test_rel_pos_mlp(twin, mode):
    options = {"mode": mode, "hidden_features": 5, "drop": 0.0, "pretrained_window_size": (4, 7)}
    scheme, state = filled(twin, 2, (2, 3), "rel_pos_mlp", **options)
    at = cells((2, 3))

    def coordinate(offset, pretrained):
        if mode == "cr":
            return math.copysign(math.log(1 + abs(offset)), offset)
        delta = 8 * offset / (pretrained - 1)
        return math.copysign(math.log2(1 + abs(delta)) / 3, delta)

    def expected(h, i, j):
        x = [coordinate(at[i][a] - at[j][a], (4, 7)[a]) for a in range(2)]
        hidden = np.maximum(state["mlp.fc1.weight"] @ x + state["mlp.fc1.bias"], 0)
        out = state["mlp.fc2.weight"][h] @ hidden + (state["mlp.fc2.bias"][h] if mode == "cr" else 0)
        return out if mode == "cr" else 16 / (1 + math.exp(-out))

    check(array(scheme()), expected)


@TWINS
def test_rel_pos_mlp_only_drops_in_training(twin):
    scheme, _ = filled(twin, 2, (3, 3), "rel_pos_mlp", drop=0.5)
    evaluated = array(scheme.eval()())
    np.testing.assert_array_equal(evaluated, array(scheme()))
    assert np.abs(array(scheme.train()()) - evaluated).max() > 1e-3


def layer(state, name, x):
    """Return LayerNorm – ReLU – Linear of x, as CrossFormer's pos1, pos2 and pos3."""
    normed = (x - x.mean()) / math.sqrt(x.var() + 1e-5) * state[f"{name}.0.weight"]
    hidden = np.maximum(normed + state[f"{name}.0.bias"], 0)
    return state[f"{name}.2.weight"] @ hidden + state[f"{name}.2.bias"]


@TWINS
@pytest.mark.parametrize("residual", [False, True])
def test_dynamic(twin, residual):
    scheme, state = filled(twin, 2, (2, 3), "dynamic", hidden_features=4, residual=residual)
    at = cells((2, 3))

    def expected(h, i, j):
        x = state["pos_proj.weight"] @ np.subtract(at[i], at[j]) + state["pos_proj.bias"]
        for name in ("pos1", "pos2"):
            x = layer(state, name, x) + (x if residual else 0)
        return layer(state, "pos3", x)[h]

    check(array(scheme()), expected)


@TWINS
@pytest.mark.parametrize("log_distance", [False, True])
def test_dynamic_1d(twin, log_distance):
    options = {"hidden_features": 3, "depth": 1, "log_distance": log_distance}
    scheme, state = filled(twin, 2, 5, "dynamic_1d", **options)

    def expected(h, i, j):
        x = math.copysign(math.log(1 + abs(i - j)), i - j) if log_distance else i - j
        hidden = state["mlp.0.0.weight"][:, 0] * x + state["mlp.0.0.bias"]
        return state["mlp.1.weight"][h] @ (hidden / (1 + np.exp(-hidden))) + state["mlp.1.bias"][h]

    check(array(scheme()), expected)


@TWINS
def test_custom_by_distance_in_a_graph(twin):
    """Graphormer: shortest paths of the chain 0 – 1 – 2 and an unconnected 3, which is masked."""
    paths = [[0, 1, 2, -1], [1, 0, 1, -1], [2, 1, 0, -1], [-1, -1, -1, 0]]
    scheme, state = filled(twin, 2, 4, "custom", index=paths)
    table = state["relative_position_bias_table"]
    assert table.shape == (3, 2)

    def expected(h, i, j):
        return -math.inf if paths[i][j] < 0 else table[paths[i][j], h]

    check(array(scheme()), expected)
    samples = np.array([paths, np.roll(paths, 1, axis=0)])
    batched = array(scheme(index=samples))
    assert batched.shape == (2, 2, 4, 4)
    check(batched[1], lambda h, i, j: expected(h, (i - 1) % 4, j))


@TWINS
def test_sum_of_three(twin):
    """LayoutLMv3: the sum of a bias for text order, one for x and one for y."""
    x = [[abs(i - j) % 3 for j in range(6)] for i in range(6)]
    y = [[(i * j) % 4 for j in range(6)] for i in range(6)]
    parts = [
        {"bias_type": "t5", "num_buckets": 8, "max_distance": 5},
        {"bias_type": "custom", "index": x},
        {"bias_type": "custom", "index": y},
    ]
    scheme, state = filled(twin, 2, 6, "sum", parts=parts)
    text, of_x, of_y = (state[f"parts.{n}.relative_position_bias_table"] for n in range(3))
    bucket = array(scheme._parts[0].index)
    check(array(scheme()), lambda h, i, j: text[bucket[i, j], h] + of_x[x[i][j], h] + of_y[y[i][j], h])


def irpe_bucket(x, ratio=1.9):
    """Return eq. 18 of the paper plus int(β), so that buckets begin at 0."""
    alpha, beta, gamma = ratio, 2 * ratio, 8 * ratio
    if abs(x) <= alpha:
        return int(beta) + round(x)
    grown = alpha + math.log(abs(x) / alpha) / math.log(gamma / alpha) * (beta - alpha)
    return int(beta) + int(math.copysign(min(round(grown), beta), x))


def irpe_rows(method, offset):
    """Return the rows of the table whose sum is the bias of an offset (Δy, Δx)."""
    dy, dx = (int(d) for d in offset)
    if method == "euclidean":
        return [irpe_bucket(round(math.hypot(dy, dx)))]
    if method == "quant":
        return [irpe_bucket(dy * dy + dx * dx)]
    if method == "product":
        return [irpe_bucket(dy) * 7 + irpe_bucket(dx)]
    return [irpe_bucket(dy), 7 + irpe_bucket(dx)]


@TWINS
@pytest.mark.parametrize("method", ["euclidean", "quant", "product", "cross"])
def test_irpe_as_a_bias(twin, method):
    scheme, state = filled(twin, 2, (6, 9), "irpe_bias", method=method)
    table, at = state["relative_position_bias_table"], cells((6, 9))
    assert table.shape == ({"product": 49, "cross": 14}.get(method, 7), 1)
    check(
        array(scheme()),
        lambda h, i, j: sum(table[row, 0] for row in irpe_rows(method, np.subtract(at[i], at[j]))),
    )
