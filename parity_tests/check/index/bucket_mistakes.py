"""Known bugs of clipped offsets, Shaw's, and of iRPE's buckets."""

import numpy as np

from .buckets import IRPE, Shaw

# Shaw


class NotClipped(Shaw):
    """offsets beyond max_distance are not clipped"""

    def clipped(self, offset):
        return offset


class ClippedEarly(Shaw):
    """offsets are clipped to ±(max_distance − 1)"""

    def clipped(self, offset):
        return np.clip(offset, 1 - self.max_distance, self.max_distance - 1)


class ClippedHalfOpen(Shaw):
    """offsets are clipped to max_distance − 1, expected max_distance"""

    def clipped(self, offset):
        return np.clip(offset, -self.max_distance, self.max_distance - 1)


class NotFromZero(Shaw):
    """the clipped offsets are not shifted to begin at 0"""

    def row_of(self, offset):
        return self.clipped(offset)


class Unsigned(Shaw):
    """the row depends on |Δ|, not on Δ"""

    def clipped(self, offset):
        return np.abs(super().clipped(offset))


class ShawRowLate(Shaw):
    """the row is off by one: one too far"""

    def row_of(self, offset):
        return super().row_of(offset) + 1


class ShawRowEarly(Shaw):
    """the row is off by one: one too early"""

    def row_of(self, offset):
        return super().row_of(offset) - 1


class OwnReach(Shaw):
    """max_distance is always 16, whatever the argument says"""

    def __init__(self, *given, **options):
        super().__init__(*given, **options)
        self.max_distance = 16


# iRPE


class RoundedDown(IRPE):
    """buckets are rounded down, expected to the nearest"""

    def rounded(self, x):
        return np.floor(x)


class RoundedUpwards(IRPE):
    """buckets are rounded up, expected to the nearest"""

    def rounded(self, x):
        return np.ceil(x)


class OwnBounds(IRPE):
    """(α, β, γ) are {text}, expected ratio · (1, 2, 8)"""

    factors: tuple

    def bounds(self):
        return tuple(self.ratio * factor for factor in self.factors)


class OwnRatio(IRPE):
    """ratio is always 1.9, whatever the argument says"""

    def bounds(self):
        return 1.9, 3.8, 15.2


class BetaRounded(IRPE):
    """β is rounded to the nearest integer, expected cut: the last bucket is round(β)"""

    def last(self, bucket, beta):
        return np.rint(np.minimum(bucket, beta))

    def side(self):
        return 2 * int(np.rint(self.bounds()[1])) + 1

    def piecewise(self, x):
        beta = self.bounds()[1]
        return super().piecewise(x) + int(np.rint(beta)) - int(beta)


class BucketsNotClamped(IRPE):
    """buckets beyond β are not clamped"""

    def last(self, bucket, beta):
        return np.trunc(bucket)


class SignLost(IRPE):
    """far buckets lose the sign of the offset"""

    def sign(self, x):
        return np.ones_like(x)


class ProductSwapped(IRPE):
    """method "product": h and w are swapped: the row is g(Δx) · (2b + 1) + g(Δy)"""

    def row_of(self, dy, dx):
        return super().row_of(dx, dy)


class ProductStride(IRPE):
    """method "product": the stride of g(Δy) is 2b, expected 2b + 1"""

    less = 1

    def row_of(self, dy, dx):
        rows = super().row_of(dy, dx)
        return rows - self.less * self.piecewise(dy) if self.method == "product" else rows


class DistanceNotRounded(IRPE):
    """method "euclidean": the distance is cut to an integer, expected rounded before g"""

    def row_of(self, dy, dx):
        if self.method != "euclidean":
            return super().row_of(dy, dx)
        return self.piecewise(np.floor(np.sqrt(dy**2 + dx**2)))


class QuantOfRoot(IRPE):
    """method "quant": g of the distance, expected of its square"""

    def row_of(self, dy, dx):
        if self.method != "quant":
            return super().row_of(dy, dx)
        return self.piecewise(np.sqrt(dy**2 + dx**2))


class MethodIgnored(IRPE):
    """the method is always "product", whatever the argument says"""

    def __init__(self, *given, **options):
        super().__init__(*given, **options)
        self.method = "product"


class CrossSwapped(IRPE):
    """method "cross": h and w are swapped: the first row is that of Δx"""

    def offsets(self):
        offsets = super().offsets()
        return offsets[::-1] if self.method == "cross" else offsets


class CrossInOneTable(IRPE):
    """method "cross": both rows are in the first half of the table"""

    def half(self):
        return 0


class CrossHalfWithoutPrefix(IRPE):
    """method "cross": the first half lacks the row of the prefix pairs"""

    def half(self):
        return self.side()


class NotFromZeroBuckets(IRPE):
    """the buckets are not shifted to begin at 0: int(β) is not added"""

    def piecewise(self, x):
        return super().piecewise(x) - int(self.bounds()[1])
