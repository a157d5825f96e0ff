"""An index in small steps, each of which a mistake can replace; `grids` and `buckets` have the schemes.

Offsets are query − key, tokens row-major, prefix tokens first. A pair with a prefix token reads a row
after those of the grid: R is the number of these.
"""

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
