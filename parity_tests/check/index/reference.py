"""The index of every scheme that has one, in small steps, each of which a mistake can replace.

Offsets are query − key, tokens row-major, prefix tokens first. A pair with a prefix token reads a row
after those of the grid: R is the number of these.
"""

import math
from typing import ClassVar

import numpy as np


class Reference:
    """index[P + i, P + j] = row(offset of query i from key j), and the rows of the prefix tokens.

    window: the grid that the table is made for. q_size, k_size: the grids of the queries and the keys.
    q_offset: position of the first query. options: {name: default}, what else the index depends on.
    """

    options: ClassVar = {}
    needs_window = False  # whether the rows depend on the window, not only on the two grids

    def __init__(
        self,
        dout,
        window_size=None,
        num_prefix_tokens=0,
        q_size=None,
        k_size=None,
        q_offset=0,
        **options,
    ):
        vars(self).update(self.options | options)
        self.window, self.prefix, self.q_offset = window_size, num_prefix_tokens, q_offset
        self.k_size = k_size or window_size
        self.q_size = q_size or self.queries_of_window()

    def result(self, name):
        """Return the index; name: "out"."""
        with np.errstate(all="ignore"):
            return self.out()

    def out(self):
        """(P + Lq, P + Lk), or two of these"""
        return self.with_prefix(self.rows())

    # tokens

    def queries_of_window(self):
        """The queries' grid, unless one is given"""
        return self.window

    def places(self, grid):
        """The place of each token along each axis, row-major: (axes, tokens)"""
        return np.indices(grid).reshape(len(grid), -1)

    def query_places(self):
        return self.places(self.q_size) + self.q_offset

    def key_places(self):
        return self.places(self.k_size)

    def offsets(self):
        """query − key along each axis, (Lq, Lk) each"""
        places = zip(self.query_places(), self.key_places(), strict=True)
        return [queries[:, None] - keys for queries, keys in places]

    # rows

    def rows(self):
        """The row of each pair of grid tokens: (Lq, Lk)"""
        return self.row_of(*self.offsets())

    def row_of(self, *offsets):
        """The row of the offsets along the axes"""
        raise NotImplementedError

    def num_rows(self):
        """R, the rows of the grid's pairs"""
        raise NotImplementedError

    # prefix tokens

    def prefix_rows(self):
        """The rows of prefix→token, token→prefix and prefix→prefix pairs (query→key): one for all"""
        return (self.num_rows(),) * 3

    def with_prefix(self, rows):
        """The index with the prefix tokens before the others"""
        p, (lq, lk) = self.prefix, rows.shape
        whole = np.empty((p + lq, p + lk), np.int64)
        whole[:p, p:], whole[p:, :p], whole[:p, :p] = self.prefix_rows()
        whole[p:, p:] = rows
        return whole


class ThreePrefixRows(Reference):
    """prefix→token, token→prefix and prefix→prefix pairs (query→key) read the rows R, R + 1, R + 2."""

    def prefix_rows(self):
        return tuple(self.num_rows() + n for n in range(3))


# tables with a row for each offset


class Table(Reference):
    """row = Σ stride · (Δ − lowest Δ) over the axes, row-major over the `lengths` of the table."""

    def lowest(self):
        """The lowest offset along each axis"""
        raise NotImplementedError

    def lengths(self):
        """The number of offsets along each axis"""
        raise NotImplementedError

    def strides(self):
        """How far a step along each axis moves the row"""
        lengths = self.lengths()
        return [math.prod(lengths[axis + 1 :]) for axis in range(len(lengths))]

    def shifted(self, *offsets):
        """The offsets, shifted to begin at 0"""
        return [o - low for o, low in zip(offsets, self.lowest(), strict=True)]

    def row_of(self, *offsets):
        each = zip(self.strides(), self.shifted(*offsets), strict=True)
        return sum(stride * offset for stride, offset in each)

    def num_rows(self):
        return math.prod(self.lengths())


class Window(ThreePrefixRows, Table):
    """A row for each offset in the window, whatever the two grids are ("1d", "2d", "3d").

    R = Π (2 · size − 1). With two axes row = (Δy + height − 1)(2 · width − 1) + Δx + width − 1.
    Three rows for prefix tokens.
    """

    needs_window = True

    def lowest(self):
        return [1 - size for size in self.window]

    def lengths(self):
        return [2 * size - 1 for size in self.window]


class MaxViT(Window):
    """The rows of "2d", and one row, R, for all pairs with a prefix token ("maxvit").

    The planes (2 · height − 1, 2 · width − 1) of MaxViT's checkpoints count key − query. They are
    reversed along both axes before they are read as rows.
    """

    def prefix_rows(self):
        return (self.num_rows(),) * 3


class Offsets(Table):
    """A row for each offset that occurs between the two grids: the schemes that compute the bias of an
    offset, "log_cpb", "rel_pos_mlp", "dynamic", "alibi2d" (two axes), "dynamic_1d", "transformer_xl",
    "alibi", "kerple" and "sandwich" (one).

    Along an axis of q queries and k keys there are q + k − 1 offsets, from q_offset + 1 − k on:
    R = Π (q + k − 1). With two axes row = (Δy + k_height − 1)(q_width + k_width − 1) + Δx + k_width − 1.
    One row, R, for all pairs with a prefix token. With `causal` ("alibi", "kerple", "sandwich")
    prefix→token pairs read R + 1 instead, the row of −∞.
    """

    causal = False

    def lowest(self):
        return [self.q_offset + 1 - k for k in self.k_size]

    def lengths(self):
        return [q + k - 1 for q, k in zip(self.q_size, self.k_size, strict=True)]

    def prefix_rows(self):
        rows = self.num_rows()
        return rows + self.causal, rows, rows


class Causal(Offsets):
    options: ClassVar = {"causal": False}


# absolute offsets


class LeViT(ThreePrefixRows):
    """row = |Δy| · width + |Δx|,  Δ = stride · query − key,  R = height · width ("levit").

    The queries' grid is ⌈size / stride⌉ along each axis unless q_size is given: every stride-th token is
    a query. Width and height are the window's. Three rows for prefix tokens.
    """

    options: ClassVar = {"stride": 1}
    needs_window = True

    def queries_of_window(self):
        return tuple(-(-size // self.stride) for size in self.window)

    def query_places(self):
        return self.stride * super().query_places()

    def row_of(self, dy, dx):
        return self.distance(dy) * self.width() + self.distance(dx)

    def distance(self, offset):
        return np.abs(offset)

    def width(self):
        """How far a step down moves the row"""
        return self.window[1]

    def num_rows(self):
        return math.prod(self.window)


# buckets


class T5(Reference):
    """The bucket of the offset in a sequence, R = num_buckets ("t5", "gated_t5").

    A side has n buckets: num_buckets, or half of them if bidirectional. Of these m = n / 2 are exact: a
    distance d < m has bucket d. Others have min(m + ⌊m · ln(d / m) / ln(max_distance / m)⌋, n − 1).
    The edges are exact: d has passed edge s if (d / m)^m ≥ (max_distance / m)^s, in whole numbers.
    If bidirectional d = |Δ|, and keys after the query (Δ < 0) add n. Otherwise d = max(Δ, 0).
    One row, R, for all pairs with a prefix token.
    """

    options: ClassVar = {"num_buckets": 32, "max_distance": 128, "bidirectional": True}

    def row_of(self, offset):
        return self.side(offset) + self.bucket(self.distance(offset))

    def buckets(self):
        """n, the buckets of a side"""
        return self.num_buckets // 2 if self.bidirectional else self.num_buckets

    def exact(self):
        """m, the buckets of a single distance"""
        return self.buckets() // 2

    def side(self, offset):
        """The first bucket of the side that the key is on"""
        return self.buckets() * self.is_after(offset) if self.bidirectional else 0

    def is_after(self, offset):
        """Whether the key is after the query"""
        return offset < 0

    def distance(self, offset):
        return np.abs(offset) if self.bidirectional else np.maximum(offset, 0)

    def bucket(self, distance):
        exact, last = self.exact(), self.buckets() - 1
        far = exact + self.steps(np.maximum(distance, exact))
        return np.where(distance < exact, distance, np.minimum(far, last))

    def steps(self, distance):
        """The number of edges beyond m that the distance has passed"""
        m, n = self.exact(), self.buckets() - self.exact()
        edges = [m ** (n - s) * self.max_distance**s for s in range(1, n + 1)]  # to the power n
        values, place = np.unique(distance, return_inverse=True)
        passed = [sum(self.has_passed(d**n, edge) for edge in edges) for d in values.tolist()]
        return np.array(passed)[place].reshape(distance.shape)

    def has_passed(self, distance, edge):
        return distance >= edge

    def num_rows(self):
        return self.num_buckets


class Shaw(Reference):
    """row = clip(Δ, −max_distance, max_distance) + max_distance,  R = 2 · max_distance + 1 ("shaw").

    One row, R, for all pairs with a prefix token.
    """

    options: ClassVar = {"max_distance": 16}

    def row_of(self, offset):
        return self.clipped(offset) + self.max_distance

    def clipped(self, offset):
        return np.clip(offset, -self.max_distance, self.max_distance)

    def num_rows(self):
        return 2 * self.max_distance + 1


class IRPE(Reference):
    """The row r(Δ) by iRPE's bucket function g, with b = int(β) ("irpe", "irpe_bias").

    g(x) = round(x) for |x| ≤ α, otherwise
    sign(x) · int(min(round(α + ln(|x| / α) / ln(γ / α) · (β − α)), β)), (α, β, γ) = ratio · (1, 2, 8).
    round is to the nearest integer, at a tie to the even one; int cuts towards 0.
    method "product": r = (g(Δy) + b)(2b + 1) + g(Δx) + b,  R = (2b + 1)².
    method "euclidean": r = g(round √(Δy² + Δx²)) + b;  "quant": r = g(Δy² + Δx²) + b;  R = 2b + 1.
    method "cross": two rows, g(Δy) + b and S + g(Δx) + b, where S is the number of rows of the first
    half: 2b + 1, and one more with prefix tokens. The last row of each half is for prefix pairs.
    Otherwise one row, R, is for all pairs with a prefix token.
    """

    options: ClassVar = {"method": "product", "ratio": 1.9}

    def out(self):
        if self.method != "cross":
            return super().out()
        first, second = (self.with_prefix(self.piecewise(offset)) for offset in self.offsets())
        return np.stack([first, second + self.half()])

    def half(self):
        """S, the rows of the first half"""
        return self.side() + (self.prefix > 0)

    def row_of(self, dy, dx):
        if self.method == "product":
            return self.piecewise(dy) * self.side() + self.piecewise(dx)
        squared = dy**2 + dx**2
        return self.piecewise(self.rounded(np.sqrt(squared)) if self.method == "euclidean" else squared)

    def bounds(self):
        """α, β, γ"""
        return self.ratio, 2 * self.ratio, 8 * self.ratio

    def rounded(self, x):
        return np.round(x)

    def piecewise(self, x):
        """g(x) + int(β)"""
        alpha, beta, gamma = self.bounds()
        distance = np.maximum(np.abs(x), alpha)
        grown = np.log(distance / alpha) / np.log(gamma / alpha) * (beta - alpha)
        far = self.last(self.rounded(alpha + grown), beta)
        rows = np.where(np.abs(x) <= alpha, self.rounded(x), self.sign(x) * far)
        return rows.astype(np.int64) + int(beta)

    def sign(self, x):
        return np.sign(x)

    def last(self, bucket, beta):
        """The bucket, at most int(β)"""
        return np.trunc(np.minimum(bucket, beta))

    def side(self):
        """2b + 1, the rows along one axis"""
        return 2 * int(self.bounds()[1]) + 1

    def num_rows(self):
        return self.side() ** 2 if self.method == "product" else self.side()


# two rows for each pair, one along each axis


class Axes(Reference):
    """The row of the offset along the height, and that along the width, of two tables ("decomposed").

    Along an axis of q queries and k keys
    row = ⌊(k · y_q − q · y_k + q · (k − 1)) · max(q, k) / (q · k)⌋, or y_q − y_k + k − 1 for q = k: the
    smaller side is spread over the larger one, which is the window's. R = 2 · max(q, k) − 1 along each
    axis; that row is for all pairs with a prefix token.
    """

    def out(self):
        rows = [self.axis(n) for n in range(2)]
        return np.stack([self.whole(each, n) for n, each in enumerate(rows)])

    def axis(self, n):
        """The rows along an axis, (Lq, Lk)"""
        queries, keys = self.query_places()[n], self.key_places()[n]
        return self.axis_row(queries[:, None], keys, self.q_size[n], self.k_size[n], n)

    def axis_row(self, query, key, q, k, n):
        """The row of a query's and a key's place on the n-th axis, of q queries and k keys"""
        return (k * query - q * key + q * (k - 1)) * max(q, k) // (q * k)

    def size(self, n):
        """The tokens of the larger side"""
        return max(self.q_size[n], self.k_size[n])

    def whole(self, rows, n):
        """The index along an axis, with the prefix tokens"""
        self._rows = 2 * self.size(n) - 1
        return self.with_prefix(rows)

    def num_rows(self):
        return self._rows


class Halo(Axes):
    """Along each axis row = y_q + halo_size − y_k + size − 1, of two tables ("halo").

    The window holds the keys; the queries are the block in its middle, halo_size tokens from the border:
    their grid is size − 2 · halo_size along each axis unless q_size is given. The size is the window's.
    R = 2 · size − 1 along each axis; that row is for all pairs with a prefix token.
    """

    options: ClassVar = {"halo_size": 0}
    needs_window = True

    def queries_of_window(self):
        return tuple(size - 2 * self.halo_size for size in self.window)

    def query_places(self):
        return super().query_places() + self.halo_size

    def axis_row(self, query, key, q, k, n):
        return query - key + self.size(n) - 1

    def size(self, n):
        return self.window[n]
