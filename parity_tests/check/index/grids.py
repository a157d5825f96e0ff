"""The index of the schemes with a row for each offset on a grid, or for each absolute offset."""

import math
from typing import ClassVar

import numpy as np

from .reference import Reference, ThreePrefixRows

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
