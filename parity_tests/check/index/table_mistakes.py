"""Known bugs of a table with a row for each offset: its sign, axes, strides and shift."""

import numpy as np

from .grid_mistakes import SignFlipped
from .grids import Offsets, Table, Window

# sign


class SignFlippedInTable(Table):
    __doc__ = SignFlipped.__doc__

    def shifted(self, *offsets):
        found = zip(super().shifted(*offsets), self.lengths(), strict=True)
        return [length - 1 - offset for offset, length in found]


class SignFlippedAlong(SignFlippedInTable):
    """the sign of the offset is flipped along axis {axis} only"""

    axis: int

    def shifted(self, *offsets):
        right, flipped = Table.shifted(self, *offsets), super().shifted(*offsets)
        return [f if n == self.axis else r for n, (r, f) in enumerate(zip(right, flipped, strict=True))]


class AbsoluteOffsets(Table):
    """the row depends on |Δ|, not on Δ"""

    def offsets(self):
        return [np.abs(offset) for offset in super().offsets()]


# strides


class RowsInOrder(Table):
    """the table's axes are in the order {table_order}, the last one fastest"""

    table_order: tuple

    def strides(self):
        lengths, found, stride = self.lengths(), [0] * len(self.table_order), 1
        for axis in reversed(self.table_order):
            found[axis], stride = stride, stride * lengths[axis]
        return found


class AxesSwapped(RowsInOrder):
    """h and w are swapped: the row is Δx · (2h − 1) + Δy"""

    table_order = (1, 0)


class StrideOfWidth(Table):
    """the stride of Δy is the wrong one: 2w for 2w − 1"""

    more = 1

    def strides(self):
        lengths = [length + self.more for length in self.lengths()]
        return [int(np.prod(lengths[axis + 1 :])) for axis in range(len(lengths))]


class StrideTooSmall(StrideOfWidth):
    """the stride of Δy is the wrong one: 2w − 2 for 2w − 1"""

    more = -1


class StrideOfHeight(Table):
    """the stride of Δy is the wrong one: 2h − 1 for 2w − 1"""

    def strides(self):
        return [self.lengths()[0], 1]


class StrideNotDoubled(Table):
    """the stride of Δy is the wrong one: w for 2w − 1, as for a sequence of h · w tokens"""

    def strides(self):
        sizes = [(length + 1) // 2 for length in self.lengths()]
        return [int(np.prod(sizes[axis + 1 :])) for axis in range(len(sizes))]


class NoStrides(Table):
    """the offsets along the axes are added without strides"""

    def strides(self):
        return [1] * len(self.lengths())


class StridesOfSums(Table):
    """the strides are 3h − 1 and 2h − 1 for (2h − 1)(2w − 1) and 2w − 1, as in nnFormer"""

    def strides(self):
        return [3 * self.window[1] - 1, 2 * self.window[1] - 1, 1]


class StrideOfTimeIsHeight(Table):
    """the stride of Δt lacks the factor 2w − 1"""

    def strides(self):
        return [self.lengths()[1], self.lengths()[2], 1]


class StrideOfTimeIsWidth(Table):
    """the stride of Δt lacks the factor 2h − 1"""

    def strides(self):
        return [self.lengths()[2], self.lengths()[2], 1]


# shift


class OneRowLate(Table):
    """the row is off by one: one too far"""

    shift = 1

    def row_of(self, *offsets):
        return self.kept(super().row_of(*offsets) + self.shift)

    def kept(self, rows):
        return rows


class OneRowEarly(OneRowLate):
    """the row is off by one: one too early"""

    shift = -1


class Clamped(OneRowLate):
    def kept(self, rows):
        return np.clip(rows, 0, self.num_rows() - 1)


class Wrapped(OneRowLate):
    def kept(self, rows):
        return rows % self.num_rows()


class OneRowLateClamped(Clamped):
    """the row is off by one: one too far, and clamped to the table"""


class OneRowLateWrapped(Wrapped):
    """the row is off by one: one too far, and wrapped around at the table's end"""


class OneRowEarlyClamped(Clamped):
    """the row is off by one: one too early, and clamped to the table"""

    shift = -1


class OneRowEarlyWrapped(Wrapped):
    """the row is off by one: one too early, and wrapped around at the table's end"""

    shift = -1


class NotShifted(Table):
    """the offsets are not shifted to begin at 0"""

    def lowest(self):
        return [0] * len(self.lengths())


class ShiftedBySize(Table):
    """the offsets are shifted by the sizes of the window, expected one less"""

    def lowest(self):
        return [low - 1 for low in super().lowest()]


# which table


class TableOfGrids(Window):
    """the rows are those of a table for the two grids, not of the table for the window"""

    def lowest(self):
        return [1 - k for k in self.k_size]

    def lengths(self):
        return [q + k - 1 for q, k in zip(self.q_size, self.k_size, strict=True)]


class TableOfQueries(Window):
    """the rows are those of a table for the queries' grid, not of the table for the window"""

    def lowest(self):
        return [1 - q for q in self.q_size]

    def lengths(self):
        return [2 * q - 1 for q in self.q_size]


class TableOfKeys(Window):
    """the rows are those of a table for the keys' grid, not of the table for the window"""

    def lowest(self):
        return [1 - k for k in self.k_size]

    def lengths(self):
        return [2 * k - 1 for k in self.k_size]


class CutFromWindow(Window):
    """for other grids the first rows and columns of the window's index are taken"""

    def rows(self):
        whole = type(self)(None, self.window)
        lengths = np.prod(self.q_size), np.prod(self.k_size)
        is_whole = (self.q_size, self.k_size) == (self.window, self.window)
        return super().rows() if is_whole else whole.rows()[: lengths[0], : lengths[1]]


class TableOfWindow(Offsets):
    """the rows are those of a table for the window, not of the table for the two grids"""

    def lowest(self):
        return [1 - size for size in self.window]

    def lengths(self):
        return [2 * size - 1 for size in self.window]


class ShiftedByQueries(Offsets):
    """the offsets are shifted by the queries' size − 1, expected the keys' size − 1"""

    def lowest(self):
        return [self.q_offset + 1 - q for q in self.q_size]


class LengthsOfKeys(Offsets):
    """the stride of Δy is the wrong one: 2 · k_width − 1 for q_width + k_width − 1"""

    def strides(self):
        return [2 * self.k_size[1] - 1, 1]


class LengthsOfQueries(Offsets):
    """the stride of Δy is the wrong one: 2 · q_width − 1 for q_width + k_width − 1"""

    def strides(self):
        return [2 * self.q_size[1] - 1, 1]
