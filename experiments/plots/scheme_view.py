"""The numbers of one scheme that its pictures show."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SchemeView:
    """A scheme for one grid of keys, row-major, without prefix tokens.

    bias (H, Lq, Lk); heads: their names; queries (Lq,): the queries' places among the keys.
    tables (R, columns), the columns heads (`by_head`) or dimensions; indices: a (Lq, Lk) for each.
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
        """Number of the query whose row is drawn; not the middle one, so that the sign is seen."""
        return len(self.queries) // 3

    @property
    def row(self):
        """What the shown query adds to its score with each key: (H, *grid)."""
        return self.bias[:, self.shown].reshape(-1, *self.grid)

    def by_offset(self):
        """(values (H, *counts), lowest offset an axis) over the offsets query − key that occur.

        (None, None) where pairs with the same offset have another bias.
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
