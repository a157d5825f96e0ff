"""The index of each scheme: which row of the table a query and a key read. Integers, on the host."""

import math
from fractions import Fraction
from functools import partial

import numpy as np


def coordinates(size):
    """Return the cells of a grid, row-major: (axes, L)."""
    return np.indices(size).reshape(len(size), -1)


def pairs(q_size, k_size):
    """Return query coordinates (axes, Lq, 1) and key coordinates (axes, 1, Lk)."""
    return coordinates(q_size)[:, :, None], coordinates(k_size)[:, None]


def with_prefix(rows, num_prefix_tokens, prefix_rows):
    """Put prefix tokens first: (Lq, Lk) -> (P + Lq, P + Lk).

    prefix_rows: the rows of prefix → grid, grid → prefix and prefix → prefix (query → key).
    """
    p = num_prefix_tokens
    index = np.pad(rows, ((p, 0), (p, 0)))
    index[:p, p:], index[p:, :p], index[:p, :p] = prefix_rows
    return index


def window(window_size, num_prefix_tokens=0, q_size=None, k_size=None, q_offset=0, learned=True):
    """1d, 2d, 3d: a row per offset of the window; with `learned` false one prefix row (maxvit)."""
    q, k = pairs(q_size or window_size, k_size or window_size)
    size = np.array(window_size)
    offset = q_offset + q - k + (size - 1)[:, None, None]  # from 0
    rows = math.prod(2 * size - 1)
    prefix_rows = (rows, rows + 1, rows + 2) if learned else (rows, rows, rows)
    return with_prefix(np.ravel_multi_index(offset, 2 * size - 1), num_prefix_tokens, prefix_rows)


def computed(window_size, num_prefix_tokens=0, q_size=None, k_size=None, q_offset=0, causal=False):
    """Schemes that compute a value per offset between the two grids; no row depends on q_offset."""
    q_size, k_size = q_size or window_size, k_size or window_size
    q, k = pairs(q_size, k_size)
    counts = np.array(q_size) + k_size - 1
    offset = q - k + (np.array(k_size) - 1)[:, None, None]
    rows = math.prod(counts)
    prefix_rows = (rows + 1 if causal else rows, rows, rows)
    return with_prefix(np.ravel_multi_index(offset, counts), num_prefix_tokens, prefix_rows)


def t5(
    window_size,
    num_prefix_tokens=0,
    q_size=None,
    k_size=None,
    q_offset=0,
    num_buckets=32,
    max_distance=128,
    bidirectional=True,
):
    """t5, gated_t5: exact rows near the query, logarithmic buckets further away."""
    q, k = pairs(q_size or window_size, k_size or window_size)
    offset = q_offset + q[0] - k[0]
    side = num_buckets // 2 if bidirectional else num_buckets
    distance = abs(offset) if bidirectional else np.maximum(offset, 0)
    buckets = np.array([t5_bucket(d, side // 2, max_distance) for d in range(max_distance + 1)])
    rows = buckets[np.minimum(distance, max_distance)] + side * (bidirectional & (offset < 0))
    return with_prefix(rows, num_prefix_tokens, (num_buckets,) * 3)


def t5_bucket(d, m, limit):
    """Return m + the largest n < m with d^m ≥ limit^n · m^(m − n), in integers; d itself below m."""
    if d < m:
        return d
    return m + max(n for n in range(m) if d**m >= limit**n * m ** (m - n))


def levit(window_size, num_prefix_tokens=0, q_size=None, k_size=None, q_offset=0, stride=1):
    """levit: |offset| along each axis, with a query at every `stride`-th token."""
    q, k = pairs(q_size or [-(-size // stride) for size in window_size], k_size or window_size)
    rows = math.prod(window_size)
    index = np.ravel_multi_index(abs(stride * q - k), window_size)
    return with_prefix(index, num_prefix_tokens, (rows, rows + 1, rows + 2))


def shaw(window_size, num_prefix_tokens=0, q_size=None, k_size=None, q_offset=0, max_distance=16):
    """shaw: the offset, clipped at ± max_distance."""
    q, k = pairs(q_size or window_size, k_size or window_size)
    rows = np.clip(q_offset + q[0] - k[0], -max_distance, max_distance) + max_distance
    return with_prefix(rows, num_prefix_tokens, (2 * max_distance + 1,) * 3)


def per_axis(rows, window_size, num_prefix_tokens):
    """Return (2, P + Lq, P + Lk) from the rows (2, Lq, Lk) of a table per axis."""
    prefix_rows = [(2 * size - 1,) * 3 for size in window_size]
    return np.stack([with_prefix(rows[a], num_prefix_tokens, prefix_rows[a]) for a in range(2)])


def halo(window_size, num_prefix_tokens=0, q_size=None, k_size=None, q_offset=0, halo_size=0):
    """halo: the keys are the window, the queries the block in its middle."""
    q, k = pairs(q_size or [size - 2 * halo_size for size in window_size], k_size or window_size)
    rows = q + halo_size - k + (np.array(window_size) - 1)[:, None, None]
    return per_axis(rows, window_size, num_prefix_tokens)


def decomposed(window_size, num_prefix_tokens=0, q_size=None, k_size=None, q_offset=0):
    """decomposed: a table per axis; the smaller grid is spread over the larger one."""
    q_size, k_size = q_size or window_size, k_size or window_size
    q, k = pairs(q_size, k_size)
    n, m = np.array(q_size)[:, None, None], np.array(k_size)[:, None, None]
    rows = (q * m - k * n + (m - 1) * n) * np.maximum(n, m) // (n * m)
    return per_axis(rows, window_size, num_prefix_tokens)


def irpe(
    window_size,
    num_prefix_tokens=0,
    q_size=None,
    k_size=None,
    q_offset=0,
    method="product",
    ratio=1.9,
):
    """irpe, irpe_bias: buckets of the offset along each axis, or of the distance."""
    q, k = pairs(q_size or window_size, k_size or window_size)
    dy, dx = q - k
    ratio = Fraction(str(ratio))
    last, g = int(2 * ratio), np.vectorize(partial(irpe_bucket, ratio=ratio), otypes=[int])
    side = 2 * last + 1
    square = dy**2 + dx**2
    whole = partial(with_prefix, num_prefix_tokens=num_prefix_tokens)
    if method == "euclidean":
        return whole(g(rounded_root(square)) + last, prefix_rows=(side,) * 3)
    if method == "quant":
        return whole(g(square) + last, prefix_rows=(side,) * 3)
    if method == "product":
        return whole((g(dy) + last) * side + g(dx) + last, prefix_rows=(side**2,) * 3)
    if method != "cross":
        raise ValueError(f"method: {method!r} is unknown")
    count = side + (num_prefix_tokens > 0)
    halves = [whole(g(delta) + last, prefix_rows=(side,) * 3) for delta in (dy, dx)]
    return np.stack([halves[0], count + halves[1]])


def irpe_bucket(x, ratio):
    """Return sign(x) · min(last, round(α + α · ln(|x|/α) / ln 8)), or x if |x| ≤ α; in integers."""
    x, p, q = int(x), ratio.numerator, ratio.denominator
    if abs(x) <= ratio:
        return x
    power = Fraction(q * abs(x), p) ** (2 * p)  # (|x|/α)^(2p), to compare with 8^(…)
    bounds = {n: Fraction(8) ** (2 * q * n - q - 2 * p) for n in range(int(2 * ratio) + 1)}
    reached = [n for n, bound in bounds.items() if power > bound or (power == bound and n % 2 == 0)]
    return max(reached, default=0) * (1 if x > 0 else -1)


def rounded_root(square):
    """Return √square rounded; the root of an integer is never a half."""
    root = np.vectorize(math.isqrt, otypes=[int])(square)
    return root + (square > root * root + root)


COMPUTED = "alibi alibi2d kerple sandwich dynamic dynamic_1d log_cpb rel_pos_mlp transformer_xl"
SCHEMES = {
    **dict.fromkeys(["1d", "2d", "3d"], window),
    "maxvit": partial(window, learned=False),
    **dict.fromkeys(["t5", "gated_t5"], t5),
    "levit": levit,
    "shaw": shaw,
    "halo": halo,
    "decomposed": decomposed,
    **dict.fromkeys(["irpe", "irpe_bias"], irpe),
    **dict.fromkeys(COMPUTED.split(), computed),
}
