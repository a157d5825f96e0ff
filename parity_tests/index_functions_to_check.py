"""Index functions for the tests of `check`: right ones in plain loops over pairs, and wrong ones.

Nothing is shared with either twin or with `check`: an index is filled in entry by entry from the papers'
formulas.
"""

import math
from fractions import Fraction
from functools import cache
from itertools import product

import numpy as np


def _cells(size):
    return list(product(*map(range, size)))


def _whole(queries, keys, row, prefix, rows):
    """Return the index of row(query, key); rows: of prefix→token, token→prefix and prefix→prefix."""
    index = np.zeros((prefix + len(queries), prefix + len(keys)), np.int64)
    for i in range(len(index)):
        for j in range(index.shape[1]):
            if i < prefix:
                index[i, j] = rows[2] if j < prefix else rows[0]
            else:
                index[i, j] = rows[1] if j < prefix else row(queries[i - prefix], keys[j - prefix])
    return index


def _numbered(ranges):
    """Return ({offset: row} row by row, number of rows)."""
    offsets = list(product(*ranges))
    return {offset: row for row, offset in enumerate(offsets)}, len(offsets)


def _between(query, key):
    return tuple(a - b for a, b in zip(query, key, strict=True))


def window(window_size, num_prefix_tokens=0, q_size=None, k_size=None, q_offset=0):
    """ "1d", "2d", "3d\""""
    rows, count = _numbered([range(1 - size, size) for size in window_size])
    queries = [tuple(at + q_offset for at in cell) for cell in _cells(q_size or window_size)]

    def row(query, key):
        return rows[_between(query, key)]

    three = (count, count + 1, count + 2)
    return _whole(queries, _cells(k_size or window_size), row, num_prefix_tokens, three)


def maxvit(window_size, num_prefix_tokens=0, q_size=None, k_size=None):
    rows, count = _numbered([range(1 - size, size) for size in window_size])
    cells = _cells(q_size or window_size), _cells(k_size or window_size)
    return _whole(*cells, lambda q, k: rows[_between(q, k)], num_prefix_tokens, (count,) * 3)


def offsets(window_size, num_prefix_tokens=0, q_size=None, k_size=None, q_offset=0, causal=False):
    """The schemes that compute the bias of an offset"""
    q_size, k_size = q_size or window_size, k_size or window_size
    ranges = [range(q_offset + 1 - k, q_offset + q) for q, k in zip(q_size, k_size, strict=True)]
    rows, count = _numbered(ranges)
    queries = [tuple(at + q_offset for at in cell) for cell in _cells(q_size)]
    prefix = (count + 1 if causal else count, count, count)
    return _whole(queries, _cells(k_size), lambda q, k: rows[_between(q, k)], num_prefix_tokens, prefix)


def levit(window_size, num_prefix_tokens=0, q_size=None, k_size=None, stride=1):
    height, width = window_size
    q_size = q_size or (math.ceil(height / stride), math.ceil(width / stride))
    rows, count = _numbered([range(height), range(width)])

    def row(query, key):
        return rows[abs(stride * query[0] - key[0]), abs(stride * query[1] - key[1])]

    three = (count, count + 1, count + 2)
    return _whole(_cells(q_size), _cells(k_size or window_size), row, num_prefix_tokens, three)


def t5(
    window_size=None,
    num_prefix_tokens=0,
    q_size=None,
    k_size=None,
    q_offset=0,
    num_buckets=32,
    max_distance=128,
    bidirectional=True,
):
    side = num_buckets // 2 if bidirectional else num_buckets
    exact = side // 2
    edges = [Fraction(max_distance, exact) ** s for s in range(exact)]

    @cache
    def bucket(distance):
        if distance < exact:
            return distance
        grown = Fraction(distance, exact) ** exact
        return exact + max(s for s, edge in enumerate(edges) if grown >= edge)

    def row(query, key):
        offset = query[0] + q_offset - key[0]
        if bidirectional:
            return bucket(offset) if offset >= 0 else side + bucket(-offset)
        return bucket(max(offset, 0))

    cells = _cells(q_size or window_size), _cells(k_size or window_size)
    return _whole(*cells, row, num_prefix_tokens, (num_buckets,) * 3)


def shaw(window_size, num_prefix_tokens=0, q_size=None, k_size=None, q_offset=0, max_distance=16):
    def row(query, key):
        return min(max(query[0] + q_offset - key[0], -max_distance), max_distance) + max_distance

    cells = _cells(q_size or window_size), _cells(k_size or window_size)
    return _whole(*cells, row, num_prefix_tokens, (2 * max_distance + 1,) * 3)


def irpe(window_size, num_prefix_tokens=0, q_size=None, k_size=None, method="product", ratio=1.9):
    alpha, beta, gamma = ratio, 2 * ratio, 8 * ratio
    last = int(beta)
    side = 2 * last + 1

    def g(x):
        if abs(x) <= alpha:
            return round(x)
        grown = alpha + math.log(abs(x) / alpha) / math.log(gamma / alpha) * (beta - alpha)
        return int(math.copysign(int(min(round(grown), beta)), x))

    def row(query, key):
        dy, dx = _between(query, key)
        if method == "euclidean":
            return g(round(math.sqrt(dy * dy + dx * dx))) + last
        if method == "quant":
            return g(dy * dy + dx * dx) + last
        return (g(dy) + last) * side + g(dx) + last

    cells = _cells(q_size or window_size), _cells(k_size or window_size)
    if method != "cross":
        count = side * side if method == "product" else side
        return _whole(*cells, row, num_prefix_tokens, (count,) * 3)
    half = side + 1 if num_prefix_tokens else side
    planes = [
        _whole(*cells, lambda q, k, n=n: g(q[n] - k[n]) + last, num_prefix_tokens, (side,) * 3)
        for n in range(2)
    ]
    return np.stack([planes[0], planes[1] + half])


def decomposed(window_size=None, num_prefix_tokens=0, q_size=None, k_size=None):
    q_size, k_size = q_size or window_size, k_size or window_size

    def rows_of(n):
        q, k = q_size[n], k_size[n]
        q_ratio, k_ratio = max(Fraction(k, q), 1), max(Fraction(q, k), 1)  # as MViTv2 names them

        def row(query, key):
            return math.floor(query[n] * q_ratio - key[n] * k_ratio + (k - 1) * k_ratio)

        last = 2 * max(q, k) - 1
        return _whole(_cells(q_size), _cells(k_size), row, num_prefix_tokens, (last,) * 3)

    return np.stack([rows_of(0), rows_of(1)])


def halo(window_size, num_prefix_tokens=0, q_size=None, k_size=None, halo_size=0):
    q_size = q_size or tuple(size - 2 * halo_size for size in window_size)

    def rows_of(n):
        size = window_size[n]

        def row(query, key):
            return query[n] + halo_size - key[n] + size - 1

        cells = _cells(q_size), _cells(k_size or window_size)
        return _whole(*cells, row, num_prefix_tokens, (2 * size - 1,) * 3)

    return np.stack([rows_of(0), rows_of(1)])


# wrong ones, as people write them


def swin_of_xy(window_size, num_prefix_tokens=0):
    """Swin's code with torch.meshgrid's other indexing and without prefix tokens' rows"""
    places = np.stack(np.meshgrid(*map(np.arange, window_size), indexing="xy")).reshape(2, -1)
    offsets = places[:, :, None] - places[:, None]
    height, width = window_size
    return (offsets[0] + height - 1) * (2 * width - 1) + offsets[1] + width - 1


def swin_of_other_sign(window_size):
    """Swin's code with the queries and keys of its offsets exchanged"""
    places = np.indices(window_size).reshape(2, -1)
    offsets = places[:, None] - places[:, :, None]
    height, width = window_size
    return (offsets[0] + height - 1) * (2 * width - 1) + offsets[1] + width - 1


def only_squares(window_size):
    """A function that takes fewer arguments than the scheme has"""
    return window(window_size)


def only_oblong(window_size):
    """A function that fails in some cases"""
    if len(set(window_size)) == 1:
        raise ValueError("no square, please")
    return window(window_size)


def nested_lists(window_size, num_prefix_tokens=0):
    return decomposed(window_size, num_prefix_tokens).tolist()


def tuple_of_arrays(window_size, num_prefix_tokens=0):
    return tuple(decomposed(window_size, num_prefix_tokens))


def needs_all(window_size, num_prefix_tokens, q_size, k_size, q_offset):
    """A function without defaults"""
    return window(window_size, num_prefix_tokens, q_size, k_size, q_offset)


def t5_by_sizes(bidirectional, num_buckets, max_distance, q_size=None, k_size=None):
    """T5's buckets without a window, which they do not depend on"""
    options = {"num_buckets": num_buckets, "max_distance": max_distance}
    return t5(q_size=q_size, k_size=k_size, bidirectional=bidirectional, **options)


def nnformer(window_size):
    """nnFormer's strides (file nnFormer_synapse.py)"""
    places = np.indices(window_size).reshape(3, -1)
    t, y, x = (places[n][:, None] - places[n] + size - 1 for n, size in enumerate(window_size))
    return t * (3 * window_size[1] - 1) + y * (2 * window_size[1] - 1) + x


def t5_of_torch(window_size, num_buckets=32, max_distance=128, bidirectional=True):
    """T5's code in transformers, with key − query taken for query − key"""
    offset = np.arange(window_size[0])[:, None] - np.arange(window_size[0])
    buckets = np.zeros(offset.shape, np.int64)
    if bidirectional:
        num_buckets //= 2
        buckets += (offset > 0) * num_buckets
        offset = np.abs(offset)
    else:
        offset = -np.minimum(offset, 0)
    exact = num_buckets // 2
    far = np.log(np.maximum(offset, 1) / exact) / np.log(max_distance / exact) * (num_buckets - exact)
    far = np.minimum(exact + np.floor(far + 1e-12).astype(np.int64), num_buckets - 1)
    return buckets + np.where(offset < exact, offset, far)


def transposed_at_columns(window_size, num_prefix_tokens=0):
    """Two bugs at once"""
    height, width = window_size
    y, x = np.indices((width, height)).reshape(2, -1)[::-1]
    index = (y[:, None] - y + height - 1) * (2 * width - 1) + x[:, None] - x + width - 1
    count = (2 * height - 1) * (2 * width - 1)
    whole = np.pad(index, (num_prefix_tokens, 0))
    p = num_prefix_tokens
    whole[:p, p:], whole[p:, :p], whole[:p, :p] = count, count + 1, count + 2
    return whole.T
