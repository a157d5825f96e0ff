"""The index of the schemes with buckets of offsets, or clipped ones: T5, Shaw and iRPE."""

from typing import ClassVar

import numpy as np

from .reference import Reference


class T5(Reference):
    """The bucket of the offset in a sequence, R = num_buckets ("t5", "gated_t5").

    A side has n buckets: num_buckets, or half of them if bidirectional. Of these m = n / 2 are exact: a
    distance d < m has bucket d. Others have min(m + ⌊m · ln(d / m) / ln(max_distance / m)⌋, n − 1).
    The edges are exact: d has passed edge s if (d / m)^m ≥ (max_distance / m)^s, in whole numbers.
    If bidirectional d = |Δ|, and keys after the query (Δ < 0) add n. Otherwise d = max(Δ, 0).
    One row, R, for all pairs with a prefix token.
    """

    options: ClassVar = {"num_buckets": 32, "max_distance": 128, "bidirectional": True}

    def row_of(self, offset):
        return self.side(offset) + self.bucket(self.distance(offset))

    def buckets(self):
        """n, the buckets of a side"""
        return self.num_buckets // 2 if self.bidirectional else self.num_buckets

    def exact(self):
        """m, the buckets of a single distance"""
        return self.buckets() // 2

    def side(self, offset):
        """The first bucket of the side that the key is on"""
        return self.buckets() * self.is_after(offset) if self.bidirectional else 0

    def is_after(self, offset):
        """Whether the key is after the query"""
        return offset < 0

    def distance(self, offset):
        return np.abs(offset) if self.bidirectional else np.maximum(offset, 0)

    def bucket(self, distance):
        exact, last = self.exact(), self.buckets() - 1
        far = exact + self.steps(np.maximum(distance, exact))
        return np.where(distance < exact, distance, np.minimum(far, last))

    def steps(self, distance):
        """The number of edges beyond m that the distance has passed"""
        m, n = self.exact(), self.buckets() - self.exact()
        edges = [m ** (n - s) * self.max_distance**s for s in range(1, n + 1)]  # to the power n
        values, place = np.unique(distance, return_inverse=True)
        passed = [sum(self.has_passed(d**n, edge) for edge in edges) for d in values.tolist()]
        return np.array(passed)[place].reshape(distance.shape)

    def has_passed(self, distance, edge):
        return distance >= edge

    def num_rows(self):
        return self.num_buckets


class Shaw(Reference):
    """row = clip(Δ, −max_distance, max_distance) + max_distance,  R = 2 · max_distance + 1 ("shaw").

    One row, R, for all pairs with a prefix token.
    """

    options: ClassVar = {"max_distance": 16}

    def row_of(self, offset):
        return self.clipped(offset) + self.max_distance

    def clipped(self, offset):
        return np.clip(offset, -self.max_distance, self.max_distance)

    def num_rows(self):
        return 2 * self.max_distance + 1


class IRPE(Reference):
    """The row r(Δ) by iRPE's bucket function g, with b = int(β) ("irpe", "irpe_bias").

    g(x) = round(x) for |x| ≤ α, otherwise
    sign(x) · int(min(round(α + ln(|x| / α) / ln(γ / α) · (β − α)), β)), (α, β, γ) = ratio · (1, 2, 8).
    round is to the nearest integer, at a tie to the even one; int cuts towards 0.
    method "product": r = (g(Δy) + b)(2b + 1) + g(Δx) + b,  R = (2b + 1)².
    method "euclidean": r = g(round √(Δy² + Δx²)) + b;  "quant": r = g(Δy² + Δx²) + b;  R = 2b + 1.
    method "cross": two rows, g(Δy) + b and S + g(Δx) + b, where S is the number of rows of the first
    half: 2b + 1, and one more with prefix tokens. The last row of each half is for prefix pairs.
    Otherwise one row, R, is for all pairs with a prefix token.
    """

    options: ClassVar = {"method": "product", "ratio": 1.9}

    def out(self):
        if self.method != "cross":
            return super().out()
        first, second = (self.with_prefix(self.piecewise(offset)) for offset in self.offsets())
        return np.stack([first, second + self.half()])

    def half(self):
        """S, the rows of the first half"""
        return self.side() + (self.prefix > 0)

    def row_of(self, dy, dx):
        if self.method == "product":
            return self.piecewise(dy) * self.side() + self.piecewise(dx)
        squared = dy**2 + dx**2
        return self.piecewise(self.rounded(np.sqrt(squared)) if self.method == "euclidean" else squared)

    def bounds(self):
        """α, β, γ"""
        return self.ratio, 2 * self.ratio, 8 * self.ratio

    def rounded(self, x):
        return np.round(x)

    def piecewise(self, x):
        """g(x) + int(β)"""
        alpha, beta, gamma = self.bounds()
        distance = np.maximum(np.abs(x), alpha)
        grown = np.log(distance / alpha) / np.log(gamma / alpha) * (beta - alpha)
        far = self.last(self.rounded(alpha + grown), beta)
        rows = np.where(np.abs(x) <= alpha, self.rounded(x), self.sign(x) * far)
        return rows.astype(np.int64) + int(beta)

    def sign(self, x):
        return np.sign(x)

    def last(self, bucket, beta):
        """The bucket, at most int(β)"""
        return np.trunc(np.minimum(bucket, beta))

    def side(self):
        """2b + 1, the rows along one axis"""
        return 2 * int(self.bounds()[1]) + 1

    def num_rows(self):
        return self.side() ** 2 if self.method == "product" else self.side()
