"""Known bugs of functions that interpolate a table: each overrides the steps of `Resize` it changes."""

import numpy as np

from ..one_way import in_backward, in_forward
from .reference import Resize

# places and weights


class AlignCorners(Resize):
    """the corners are aligned: new row i is at i · (old − 1) / (new − 1)"""

    def places(self, old, new):
        return np.arange(new) * ((old - 1) / max(new - 1, 1))


class NoHalfPixel(Resize):
    """the half in (i + ½) · old / new − ½ is missing: new row i is at i · old / new"""

    def places(self, old, new):
        return np.arange(new) * (old / new)


class RatioOfWindows(Resize):
    """the places have the ratio of the windows, not that of the numbers of offsets 2 · size − 1"""

    def places(self, old, new):
        return (np.arange(new) + 0.5) * ((old + 1) / (new + 1)) - 0.5


class AIsHalf(Resize):
    """Keys' cubic has a = −0.5, where it should be −0.75"""

    a = -0.5


class Antialiased(Resize):
    """it is antialiased, as by interpolate(antialias=True), which has a = −0.5 too"""

    a = -0.5

    def taps(self, old, new):
        wider = max(old / new, 1)
        distances = np.abs(self.places(old, new)[:, None] - np.arange(old)) / wider
        weights = self.kernel(distances)
        return weights / weights.sum(1, keepdims=True)


class Nearest(Resize):
    """each new row is the nearest old one, not interpolated"""

    def taps(self, old, new):
        return np.eye(old)[np.floor((np.arange(new) + 0.5) * (old / new)).astype(int)]


class BorderLost(Resize):
    """rows beyond the border count as 0, where they should be the row at the border"""

    def folded(self, weights, taps, old):
        return weights[:, (taps >= 0) & (taps < old)]


class BorderNormalised(Resize):
    """rows beyond the border are left out, and the other weights divided by their sum"""

    def folded(self, weights, taps, old):
        kept = weights[:, (taps >= 0) & (taps < old)]
        return kept / kept.sum(1, keepdims=True)


class BorderReflected(Resize):
    """rows beyond the border are reflected, where they should be the row at the border"""

    def inside(self, taps, old):
        beyond = np.abs(taps) % max(2 * (old - 1), 1)
        return np.minimum(beyond, 2 * (old - 1) - beyond)


# method


class AlwaysBicubic(Resize):
    """`method` has no effect: it is always "bicubic\""""

    def used_method(self):
        return "bicubic"


class AlwaysLinear(Resize):
    """`method` has no effect: it is always "linear\""""

    def used_method(self):
        return "linear"


class GeometricOfLines(Resize):
    """ "geometric" has lines between the old rows, not a cubic spline"""

    degree = 1


class GeometricFromRatio(Resize):
    """ "geometric" moves the first offset to q, not to 1: q, q + q², …"""

    def distances(self, ratio, count):
        return [ratio * each for each in super().distances(ratio, count)]


class GeometricToWindow(Resize):
    """ "geometric" moves the last old offset to the new window's size, not to its last offset"""

    def sites(self, count, last):
        return super().sites(count, last + 1)


# axes


class SizesSwapped(Resize):
    """h and w of both windows are swapped"""

    def old(self):
        return super().old()[::-1]

    def new(self):
        return super().new()[::-1]


class OldSizeSwapped(Resize):
    """h and w of the old window are swapped"""

    def old(self):
        return super().old()[::-1]


class NewSizeSwapped(Resize):
    """h and w of the new window are swapped"""

    def new(self):
        return super().new()[::-1]


class NewRowsColumnByColumn(Resize):
    """the rows of the new table are in the order of its columns"""

    @property
    def offsets(self):
        matrix, new = super().offsets, self.new()
        return matrix[np.arange(len(matrix)).reshape(new).T.ravel()]


class OneAxis(Resize):
    """the whole table is interpolated as one axis"""

    @property
    def offsets(self):
        return self.along_axis(int(np.prod(self.old())), int(np.prod(self.new())))


# heads


class TableTransposed(Resize):
    """the table (R, H) is read as if its memory were (H, R)"""

    def out(self):
        count = self.offsets.shape[1]
        offsets = self.table[:count].reshape(-1, count).T
        return super().product(self.matrix, np.concatenate([offsets, self.table[count:]]))

    def dtable(self):
        count, total = self.offsets.shape[1], super().dtable()
        offsets = total[:count].T.reshape(count, -1)
        return np.concatenate([offsets, total[count:]])


class OutTransposed(Resize):
    """the new table (R, H) has its rows in memory as if it were (H, R)"""

    def out(self):
        count, out = self.offsets.shape[0], super().out()
        return np.concatenate([out[:count].T.reshape(count, -1), out[count:]])

    def dtable(self):
        count = self.offsets.shape[0]
        offsets = self.dout[:count].reshape(-1, count).T
        return super().product(self.matrix.T, np.concatenate([offsets, self.dout[count:]]))


# prefix tokens


class PrefixLost(Resize):
    """the rows of the prefix tokens are 0 in the new table"""

    def of_prefix(self):
        return np.zeros((self.prefix_rows, self.prefix_rows))


class PrefixSwapped(Resize):
    """the rows of prefix→token and token→prefix are swapped"""

    def of_prefix(self):
        return np.eye(3)[[1, 0, 2]] if self.prefix_rows else super().of_prefix()


class PrefixFirst(Resize):
    """the rows of the prefix tokens are taken for the first of the table, and put first too"""

    @property
    def matrix(self):
        return np.roll(super().matrix, (self.prefix_rows, self.prefix_rows), (0, 1))


class PrefixPutFirst(Resize):
    """the rows of the prefix tokens are put first in the new table"""

    @property
    def matrix(self):
        return np.roll(super().matrix, self.prefix_rows, 0)


class PrefixTakenFirst(Resize):
    """the rows of the prefix tokens are taken from the front of the table"""

    @property
    def matrix(self):
        return np.roll(super().matrix, self.prefix_rows, 1)


# dtable


class DtableByResizing(Resize):
    """dtable is dout interpolated for the old window: that is not Mᵀ dout"""

    def dtable(self):
        back = {"window_size": self.new_window_size, "new_window_size": self.window_size}
        return Resize(None, **self.arguments | back).matrix @ self.dout


class DtableOfInverse(Resize):
    """dtable is the pseudo-inverse of M times dout, not Mᵀ dout"""

    def dtable(self):
        return np.linalg.pinv(self.matrix) @ self.dout


class DtableZero(Resize):
    """dtable is 0"""

    def dtable(self):
        return self.table * 0


IN_MATRIX = (
    *(AlignCorners, NoHalfPixel, RatioOfWindows, AIsHalf, Antialiased, Nearest),
    *(BorderLost, BorderNormalised, BorderReflected),
    *(AlwaysBicubic, AlwaysLinear, GeometricOfLines, GeometricFromRatio, GeometricToWindow),
    *(SizesSwapped, OldSizeSwapped, NewSizeSwapped, NewRowsColumnByColumn, OneAxis),
    *(TableTransposed, OutTransposed),
    *(PrefixLost, PrefixSwapped, PrefixFirst, PrefixPutFirst, PrefixTakenFirst),
)
MISTAKES = (
    *IN_MATRIX,
    *(way(mistake, Resize) for way in (in_forward, in_backward) for mistake in IN_MATRIX),
    *(DtableByResizing, DtableOfInverse, DtableZero),
)
