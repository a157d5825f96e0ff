"""Known bugs of the lookup table[index]: the wrong row; `head_mistakes` has the wrong heads."""

import numpy as np

from .head_mistakes import HEADS
from .reference import Reference


class OnGrids(Reference):
    """Compute the rows anew from the grids; an index without grids stays as it is."""

    beyond = "clamp"  # what becomes of a row that the table does not have

    def rows(self):
        rows, last = self.unbounded(), self.last_row()
        return rows.clip(0, last) if self.beyond != "wrap" else rows % (last + 1)

    def unbounded(self):
        """Return the rows, also those that the table does not have."""
        return super().rows() if self.grids is None else self.with_prefix(self.row_of(*self.offsets()))

    def last_row(self):
        return len(self.table) - 1

    def is_read(self):
        """Return whether the pair reads the table: (Lq, Lk)"""
        rows = self.unbounded()
        return (self.beyond != "zero") | ((rows >= 0) & (rows <= self.last_row()))

    def bias(self):
        return 0.0 if self.table is None else super().bias() * self.is_read()

    def scatter(self, ds):
        return super().scatter(ds * self.is_read())

    def offsets(self):
        """Return query − key + keys' size − 1 along each axis, (Lq, Lk) without prefix tokens."""
        queries, keys = (self.places(grid) for grid in (self.grids.queries, self.grids.keys))
        return [
            q[:, None] - k + size - 1 for q, k, size in zip(queries, keys, self.grids.keys, strict=True)
        ]

    def places(self, grid):
        """Return the place of each token along each axis, row-major."""
        return np.indices(grid).reshape(len(grid), -1)

    def counts(self):
        """Return the number of offsets along each axis."""
        return [q + k - 1 for q, k in zip(self.grids.queries, self.grids.keys, strict=True)]

    def row_of(self, *offsets):
        """Return the row of the table for offsets along each axis."""
        return _row(offsets, self.counts())

    def with_prefix(self, rows):
        """Return the index with the rows of the prefix tokens, as the right one has them."""
        p, whole = self.grids.prefix, self.index.copy()
        whole[p:, p:] = rows
        return whole


class SignFlipped(OnGrids):
    """the sign of the offset is flipped: key − query for query − key"""

    def row_of(self, *offsets):
        counts = self.counts()
        return super().row_of(*(n - 1 - o for o, n in zip(offsets, counts, strict=True)))


class AxesSwapped(OnGrids):
    """h and w are swapped: the row is Δx · (2h − 1) + Δy"""

    def row_of(self, *offsets):
        return _row(offsets[::-1], self.counts()[::-1])


class ColumnsFirst(OnGrids):
    """h and w are swapped: the tokens are counted column by column"""

    def places(self, grid):
        return np.indices(grid[::-1]).reshape(len(grid), -1)[::-1]


class StrideOfWidth(OnGrids):
    """the stride of Δy is the wrong one: 2w for 2w − 1"""

    more = 1

    def row_of(self, *offsets):
        return _row(offsets, [*self.counts()[:-1], self.counts()[-1] + self.more])


class StrideTooSmall(StrideOfWidth):
    """the stride of Δy is the wrong one: 2w − 2 for 2w − 1"""

    more = -1


class OneRowLate(OnGrids):
    """the row is off by one: one too far"""

    shift = 1

    def row_of(self, *offsets):
        return super().row_of(*offsets) + self.shift


class OneRowEarly(OneRowLate):
    """the row is off by one: one too early"""

    shift = -1


class NotShifted(OnGrids):
    """the offsets are not shifted to begin at 0: Δy · (2w − 1) + Δx may be negative"""

    def offsets(self):
        return [o - (n - 1) for o, n in zip(super().offsets(), self.grids.keys, strict=True)]


class ShiftedBySize(OnGrids):
    """the offsets are shifted by the size of the window, not by one less: Δy + h and Δx + w"""

    def offsets(self):
        return [offset + 1 for offset in super().offsets()]


def _row(offsets, counts):
    """Return Σ offset · stride, row-major, for any offsets."""
    row = 0
    for offset, count in zip(offsets, counts, strict=True):
        row = row * count + offset
    return row


def beyond_the_table(mistake):
    """Return the mistake for each thing that becomes of a row that the table does not have.

    NumPy and PyTorch count negative rows from the end, JAX clamps, a masked load of Triton gives 0.
    """
    given = {"__doc__": mistake.__doc__, "family": mistake}
    return [
        type(mistake.__name__ + beyond.title(), (mistake,), given | {"beyond": beyond})
        for beyond in ("clamp", "wrap", "zero")
    ]


class PrefixRowsSwapped(Reference):
    """the rows of prefix→token and token→prefix are swapped"""

    def rows(self):
        if self.grids is None or not self.grids.prefix:
            return super().rows()
        p, rows = self.grids.prefix, super().rows().copy()
        rows[:p, p:], rows[p:, :p] = self.index[-1, 0], self.index[0, -1]
        return rows


class PrefixRowsFirst(Reference):
    """the three rows of the prefix tokens are taken from the front of the table, not from its end"""

    def rows(self):
        if self.grids is None or not self.grids.prefix:
            return super().rows()
        return (super().rows() + 3) % len(self.table)


class PrefixTokensLast(Reference):
    """the prefix tokens are taken for the last ones of the sequence, not for the first"""

    def rows(self):
        if self.grids is None or not self.grids.prefix:
            return super().rows()
        p = self.grids.prefix
        return np.roll(super().rows(), (-p, -p), (0, 1))


class PrefixWithoutBias(Reference):
    """pairs with a prefix token have no bias"""

    def bias(self):
        bias = super().bias()
        if self.table is None or self.grids is None or not self.grids.prefix:
            return bias
        p = self.grids.prefix
        bias[..., :p, :], bias[..., :p] = 0, 0
        return bias

    def scatter(self, ds):
        p = self.grids.prefix if self.grids else 0
        ds = ds.copy()
        ds[:, :, :p], ds[..., :p] = 0, 0
        return super().scatter(ds)


class IndexTransposed(Reference):
    """queries and keys are swapped in the index"""

    def rows(self):
        square = self.index.shape[0] == self.index.shape[1]
        return super().rows().T if square else super().rows()


class IndexReadTransposed(IndexTransposed):
    __doc__ = IndexTransposed.__doc__

    def rows(self):
        """The element j · Lq + i of the index in memory; for a square one that is its transpose."""
        rows = Reference.rows(self)
        return rows.reshape(rows.shape[::-1]).T


# those that change the rows of another come before it: two at once are a class with both as bases
LOOKUP = (
    *HEADS,
    *(IndexTransposed, IndexReadTransposed, PrefixRowsSwapped, PrefixRowsFirst),
    *(PrefixTokensLast, PrefixWithoutBias),
    *(SignFlipped, AxesSwapped, ColumnsFirst, StrideTooSmall),
    *beyond_the_table(StrideOfWidth),
    *beyond_the_table(OneRowLate),
    *beyond_the_table(OneRowEarly),
    *beyond_the_table(NotShifted),
    *beyond_the_table(ShiftedBySize),
)
