"""Known bugs of an index of buckets: T5, Shaw and iRPE."""

import numpy as np

from .reference import IRPE, T5, Shaw

# T5


class HalfSwapped(T5):
    """the halves are swapped: keys before the query have the upper half of the buckets"""

    def is_after(self, offset):
        return offset > 0


class HalfWithZero(T5):
    """Δ = 0 is in the upper half of the buckets, expected in the lower"""

    def is_after(self, offset):
        return offset <= 0


class NotHalved(T5):
    """bidirectional: a side has all num_buckets, expected half of them"""

    def buckets(self):
        return self.num_buckets


class AlwaysBidirectional(T5):
    """bidirectional=False is not heeded"""

    def __init__(self, *given, **options):
        super().__init__(*given, **options)
        self.bidirectional = True


class NeverBidirectional(T5):
    """bidirectional=True is not heeded"""

    def __init__(self, *given, **options):
        super().__init__(*given, **options)
        self.bidirectional = False


class CausalNotClamped(T5):
    """causal: keys after the query have the bucket of |Δ|, expected bucket 0"""

    def distance(self, offset):
        return np.abs(offset)


class OneExactMore(T5):
    """one bucket too many is exact: m + 1 for m"""

    more = 1

    def exact(self):
        return super().exact() + self.more


class OneExactLess(OneExactMore):
    """one bucket too few is exact: m − 1 for m"""

    more = -1


class ExactQuartered(T5):
    """half as many buckets as right are exact: m = n / 4 for n / 2"""

    def exact(self):
        return max(self.buckets() // 4, 1)


class OwnBuckets(T5):
    """num_buckets is always 32, whatever the argument says"""

    def __init__(self, *given, **options):
        super().__init__(*given, **options)
        self.num_buckets = 32


class OwnDistance(T5):
    """max_distance is always 128, whatever the argument says"""

    def __init__(self, *given, **options):
        super().__init__(*given, **options)
        self.max_distance = 128


class Logarithms(T5):
    """A mistake in the formula of the far buckets, in floating point."""

    def steps(self, distance):
        return self.whole(self.logarithms(distance.astype(np.float64)) + 1e-12).astype(np.int64)

    def logarithms(self, distance):
        m = self.exact()
        return np.log(distance / m) / np.log(self.max_distance / m) * (self.buckets() - m)

    def whole(self, steps):
        return np.floor(steps)


class RoundedToNearest(Logarithms):
    """the far buckets are rounded to the nearest, expected down"""

    def whole(self, steps):
        return np.rint(steps)


class RoundedUpToBucket(Logarithms):
    """the far buckets are rounded up, expected down"""

    def whole(self, steps):
        return np.ceil(steps - 2e-12)


class LogOfDistance(Logarithms):
    """the far buckets use ln(d) / ln(max_distance), expected ln(d / m) / ln(max_distance / m)"""

    def logarithms(self, distance):
        m = self.exact()
        return np.log(distance) / np.log(self.max_distance) * (self.buckets() - m)


class LogOfWholeDistance(Logarithms):
    """the far buckets use ln(d / m) / ln(max_distance), expected ln(d / m) / ln(max_distance / m)"""

    def logarithms(self, distance):
        m = self.exact()
        return np.log(distance / m) / np.log(self.max_distance) * (self.buckets() - m)


class LogsOfTwoBases(Logarithms):
    """the logarithms have two bases: log₂(d / m) / ln(max_distance / m)"""

    def logarithms(self, distance):
        return super().logarithms(distance) / np.log(2)


class LogsOfBaseTen(Logarithms):
    """the logarithms have two bases: log₁₀(d / m) / ln(max_distance / m)"""

    def logarithms(self, distance):
        return super().logarithms(distance) / np.log(10)


class FactorOfAllBuckets(Logarithms):
    """the far buckets are ln(d / m) / ln(max_distance / m) times n, expected times n − m"""

    def logarithms(self, distance):
        n = self.buckets()
        return super().logarithms(distance) / (n - self.exact()) * n


class EdgesInFloat(Logarithms):
    """rounding moves an edge: the logarithms of {dtype} give less than the whole number they should"""

    dtype: str

    def steps(self, distance):
        m, kind = self.exact(), np.dtype(self.dtype).type
        grown = np.log(distance.astype(kind) / kind(m)) / kind(np.log(self.max_distance / m))
        return np.floor(grown * kind(self.buckets() - m)).astype(np.int64)


class BucketNotClamped(T5):
    """distances beyond max_distance are not clamped to the last bucket"""

    def bucket(self, distance):
        exact = self.exact()
        far = exact + self.all_steps(np.maximum(distance, exact))
        return np.where(distance < exact, distance, far)

    def all_steps(self, distance):
        """The number of edges passed, also beyond max_distance"""
        m, n = self.exact(), self.buckets() - self.exact()
        grown = np.log(distance / m) / np.log(self.max_distance / m) * n
        return np.where(distance < self.max_distance, self.steps(distance), np.floor(grown + 1e-12))


class LastBucketUnused(T5):
    """distances are clamped to the bucket before the last"""

    def bucket(self, distance):
        return np.minimum(super().bucket(distance), self.buckets() - 2)


class EdgesMissed(T5):
    """a distance exactly on an edge is in the bucket before it"""

    def has_passed(self, distance, edge):
        return distance > edge


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


class SumOfAxes(IRPE):
    """method "{method}": g of |Δy| + |Δx|, expected of Δy² + Δx²"""

    method_of: str

    def row_of(self, dy, dx):
        if self.method != self.method_of:
            return super().row_of(dy, dx)
        return self.piecewise(np.abs(dy) + np.abs(dx))


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
