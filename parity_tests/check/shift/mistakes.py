"""Known bugs of the mask of shifted windows."""

import numpy as np

from ..windows import mistakes as of_windows
from .reference import ShiftMask

# values


class Positive(ShiftMask):
    """masked pairs have +100, where they should have −100"""

    masked = 100.0


class Infinite(ShiftMask):
    """masked pairs have −∞, where they should have −100"""

    masked = -np.inf


class OneForMasked(ShiftMask):
    """the mask is 1 for masked pairs and 0 for others, and not to be added"""

    masked = 1.0


class OneForKept(ShiftMask):
    """the mask is 1 for pairs that attend to each other and 0 for others, and not to be added"""

    masked, kept = 0.0, 1.0


class MinusOneHundredForKept(ShiftMask):
    """the mask is inverted: −100 for pairs that attend to each other"""

    masked, kept = 0.0, -100.0


# labels


class NoMask(ShiftMask):
    """the mask is 0 everywhere, as for windows that are not shifted, or as the first window's"""

    def same(self, labels):
        return np.ones_like(super().same(labels))


class OtherWay(ShiftMask):
    """it is for a map that is rolled down and to the right, or not rolled yet: in the first windows"""

    def pieces(self, length, window, shift):
        return super().pieces(length, window, shift)[::-1]


class FromStartOfWindow(ShiftMask):
    """the border is `shift` tokens from the start of the last window, not from its end"""

    def pieces(self, length, window, shift):
        return super().pieces(length, window, window - shift if shift else 0)


class BeforePadding(ShiftMask):
    """the border is `shift` tokens from the end of the map without its padding"""

    def labels(self):
        axes = zip(self.padded_size(), self.size, self.shift(), strict=True)
        rows, columns = (
            (np.arange(padded) >= size - shift) & (shift > 0) for padded, size, shift in axes
        )
        return self.label(rows[:, None], columns)


class PaddingMasked(ShiftMask):
    """padding has a label of its own: tokens of the map do not attend to it"""

    def labels(self):
        of_map = np.pad(np.ones((1, *self.size), bool), ((0, 0), *self.padding()))
        return np.where(self.rolled(of_map)[0], super().labels(), -1)


class RowsAlone(ShiftMask):
    """the columns that were brought to the right are not told apart"""

    def label(self, row, column):
        return row + 0 * column


class ColumnsAlone(ShiftMask):
    """the rows that were brought to the bottom are not told apart"""

    def label(self, row, column):
        return 0 * row + column


class LabelsAdded(ShiftMask):
    """pieces share a label: row and column are added, so (2, 1) is as (1, 2)"""

    def label(self, row, column):
        return row + column


class EitherAxis(ShiftMask):
    """only two labels: brought there along any axis, or not"""

    def label(self, row, column):
        return (row == 2) | (column == 2)


class LastWindowForAll(ShiftMask):
    """every window has the last window's mask"""

    def out(self):
        masks = super().out()
        return np.broadcast_to(masks[-1], masks.shape)


def _of_mask(mistake):
    """Return a mistake of the geometry of windows as one of the mask."""
    return type(mistake.__name__, (mistake, ShiftMask), {"__doc__": mistake.__doc__})


GEOMETRY = (
    *(of_windows.WindowSwapped, of_windows.ShiftSwapped, of_windows.FirstShiftForBoth),
    *(of_windows.OneWindowRolled, of_windows.WindowsColumnByColumn),
    *(of_windows.TokensColumnByColumn, of_windows.NotTransposed),
)
MISTAKES = (
    *(Positive, Infinite, OneForMasked, OneForKept, MinusOneHundredForKept),
    *(NoMask, OtherWay, FromStartOfWindow, BeforePadding, PaddingMasked, RowsAlone, ColumnsAlone),
    *(LabelsAdded, EitherAxis, LastWindowForAll),
    *map(_of_mask, GEOMETRY),
)
