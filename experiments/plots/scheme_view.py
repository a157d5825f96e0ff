"""The numbers of one scheme that its pictures show."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SchemeView:
    """A scheme built for one grid of keys, without prefix tokens.

    bias (H, Lq, Lk) with a name for each head; queries (Lq,): their places among the keys; `shown`:
    the number of the query whose row is drawn. indices: one (Lq, Lk) for each of the tables; tables:
    (R, columns), the columns named by table_axis.
    """

    name: str
    what: str  # one line: the scheme's
    how: str  # one line: where the numbers come from
    grid: tuple
    bias: np.ndarray
    heads: tuple
    queries: np.ndarray
    shown: int
    indices: list
    tables: list
    table_axis: str
    table_note: str

    def by_offset(self):
        """(values (H, *counts), first offset), axes as the grid's, or (None, None).

        The latter where two pairs with the same offset query − key have another bias.
        """
        positions = np.stack(np.unravel_index(np.arange(math.prod(self.grid)), self.grid))
        offsets = positions[:, self.queries, None] - positions[:, None]  # (axes, Lq, Lk)
        first = offsets.min((1, 2))
        counts = offsets.max((1, 2)) - first + 1
        rows = np.ravel_multi_index(tuple(offsets - first[:, None, None]), tuple(counts))
        values = np.full((len(self.bias), math.prod(counts)), np.nan)
        values[:, rows] = self.bias
        if not np.allclose(values[:, rows], self.bias, rtol=1e-4, atol=1e-5):
            return None, None
        return values.reshape(-1, *counts), first

    def row(self):
        """What the shown query adds to its score with each key: (H, *grid)."""
        return self.bias[:, self.shown].reshape(-1, *self.grid)
