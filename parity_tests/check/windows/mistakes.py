"""Known bugs of kernels that cut a map into windows, or put windows together to a map."""

import numpy as np

from ..one_way import in_backward, in_forward
from .reference import Geometry, Partition, Reverse

# of both: the sizes


class WindowSwapped(Geometry):
    """h and w of the window are swapped"""

    def window(self):
        return self.window_size[::-1]


class NotRolled(Geometry):
    """the map is not rolled"""

    def shift(self):
        return (0, 0)


class RolledOtherWay(Geometry):
    """the map is rolled in the wrong direction"""

    def shift(self):
        return tuple(-s for s in super().shift())


class ShiftSwapped(Geometry):
    """the shifts of h and w are swapped"""

    def shift(self):
        down, right = self.shift_size
        sizes = zip(self.padded_size(), self.window(), (right, down), strict=True)
        return tuple(s if padded > w else 0 for padded, w, s in sizes)


class FirstShiftForBoth(Geometry):
    """both axes are rolled by the shift of h"""

    def shift(self):
        sizes = zip(self.padded_size(), self.window(), strict=True)
        return tuple(self.shift_size[0] if padded > w else 0 for padded, w in sizes)


class RowsRolledAlone(Geometry):
    """the map is rolled along h alone"""

    def shift(self):
        return (super().shift()[0], 0)


class OneWindowRolled(Geometry):
    """the map is rolled along an axis that has one window too"""

    def shift(self):
        return self.shift_size


class PaddedInFront(Geometry):
    """the padding is above and on the left, not below and on the right"""

    def padding(self):
        return tuple((after, before) for before, after in super().padding())


class PaddedAround(Geometry):
    """the padding is on both sides, half and half, not below and on the right"""

    def padding(self):
        totals = (before + after for before, after in super().padding())
        return tuple((total // 2, total - total // 2) for total in totals)


# of both: the order


class WindowsColumnByColumn(Geometry):
    """the windows are counted column by column"""

    def blocks(self, grid):
        return super().blocks(grid).swapaxes(1, 2)


class TokensColumnByColumn(Geometry):
    """the tokens of a window are counted column by column"""

    def blocks(self, grid):
        return super().blocks(grid).swapaxes(3, 4)


class BatchLast(Geometry):
    """the windows are in the order (window, batch), not (batch, window)"""

    def blocks(self, grid):
        return np.moveaxis(super().blocks(grid), 0, 2)


class NotTransposed(Geometry):
    """the axes are not transposed between the two reshapes: a window has a piece of a row of the map"""

    def blocks(self, grid):
        return grid.reshape(super().blocks(grid).shape)


SHARED = (
    *(WindowSwapped, NotRolled, RolledOtherWay, ShiftSwapped, FirstShiftForBoth, RowsRolledAlone),
    *(OneWindowRolled, PaddedInFront, PaddedAround),
    *(WindowsColumnByColumn, TokensColumnByColumn, BatchLast, NotTransposed),
)


# of the partition


class RolledBeforePadding(Partition):
    """the map is rolled before it is padded"""

    def source(self):
        return self.cut(self.padded(self.rolled(self.tokens())))


class BorderRepeated(Partition):
    """the padding repeats the border of the map, where it should be 0"""

    def padded(self, grid):
        return np.pad(grid, ((0, 0), *self.padding()), mode="edge")


class WrappedAround(Partition):
    """the padding is the other end of the map, where it should be 0"""

    def padded(self, grid):
        return np.pad(grid, ((0, 0), *self.padding()), mode="wrap")


class DxZero(Partition):
    """dx is 0"""

    def dx(self):
        return self.x * 0


# of the reverse


class CutOffBeforeRolling(Reverse):
    """the padding is cut off before the map is rolled back"""

    def source(self):
        return self.rolled(self.cropped(self.assembled()))


class NoResidual(Reverse):
    """the residual is not added"""

    def residual_factor(self):
        return 0.0


class ResidualTwice(Reverse):
    """the residual is added twice"""

    def residual_factor(self):
        return 2.0


class ResidualSubtracted(Reverse):
    """the residual is subtracted"""

    def residual_factor(self):
        return -1.0


class ResidualRolled(Reverse):
    """the residual is added before the map is rolled back, so that it is rolled too"""

    def added(self):
        if self.residual is None:
            return 0.0
        after = tuple((0, p - n) for p, n in zip(self.padded_size(), self.size, strict=True))
        padded = np.pad(self.residual, ((0, 0), *after, (0, 0)))
        return self.cropped(self.rolled(padded))


class DwindowsZero(Reverse):
    """dwindows is 0"""

    def dwindows(self):
        return self.windows * 0


def _of(reference, *mistakes):
    """Return mistakes of the geometry as mistakes of the partition or of the reverse."""
    return [type(m.__name__, (m, reference), {"__doc__": m.__doc__}) for m in mistakes]


def _both_ways(reference, *mistakes):
    """Return the mistakes, and each in forward only and in backward only."""
    ways = (in_forward, in_backward)
    return (*mistakes, *(way(mistake, reference) for way in ways for mistake in mistakes))


OF_PARTITION = (
    *_both_ways(Partition, *_of(Partition, *SHARED), RolledBeforePadding, BorderRepeated, WrappedAround),
    DxZero,
)
OF_REVERSE = (
    *_both_ways(Reverse, *_of(Reverse, *SHARED), CutOffBeforeRolling),
    *_both_ways(Reverse, NoResidual, ResidualTwice, ResidualSubtracted),
    *(ResidualRolled, DwindowsZero),
)
