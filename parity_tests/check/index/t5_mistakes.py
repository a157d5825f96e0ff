"""Known bugs of T5's buckets."""

import numpy as np

from .buckets import T5


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
    """rounding moves an edge: logarithms of {precision} give less than the whole number they should"""

    precision: str

    def steps(self, distance):
        m, kind = self.exact(), np.dtype(self.precision).type
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
