"""The data of one scheme that its pictures show."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SchemeView:
    """A scheme for one grid of keys, row-major, without prefix tokens.

    bias: (H, Lq, Lk). heads: the names of the heads. queries: (Lq,), their places among the keys.
    tables: list of (R, columns); a column is a head if `by_head`, otherwise a dimension of a vector.
    indices: list of (Lq, Lk), one per table.
    """

    name: str
    what: str  # a line
    how: str  # some lines: where the numbers come from
    grid: tuple
    bias: np.ndarray
    heads: tuple
    queries: np.ndarray
    tables: list
    indices: list
    by_head: bool

    @property
    def shown(self):
        """The query whose row is drawn; not the middle one, so that the sign of the offset shows."""
        return len(self.queries) // 3

    @property
    def row(self):
        """The shown query's row of the bias, (H, *grid)."""
        return self.bias[:, self.shown].reshape(-1, *self.grid)

    def by_offset(self):
        """Return (values (H, *counts), lowest offset of each axis) over the offsets query − key.

        counts: the number of offsets per axis. Returns (None, None) if pairs with the same offset
        differ in their bias.
        """
        places = np.stack(np.unravel_index(np.arange(math.prod(self.grid)), self.grid))
        offsets = places[:, self.queries, None] - places[:, None]  # (axes, Lq, Lk)
        lowest = offsets.min((1, 2))
        counts = offsets.max((1, 2)) - lowest + 1
        rows = np.ravel_multi_index(tuple(offsets - lowest[:, None, None]), tuple(counts))
        values = np.full((len(self.bias), math.prod(counts)), np.nan)
        values[:, rows] = self.bias
        if not np.allclose(values[:, rows], self.bias, rtol=1e-4, atol=1e-5):
            return None, None
        return values.reshape(-1, *counts), lowest
