"""T5's bucketed bias (arXiv 1910.10683 §2.1): exact near, logarithmic far."""

import math
from fractions import Fraction

import numpy as np

from ..checks import check_bool, check_positive_int
from ..nn import Parameter
from ..random import truncated_normal
from ..types import Array, DTypeLike, Generator, Size, SizeLike
from ._geometry import grid_offsets, with_prefix
from ._table import TableBias


class T5(TableBias):
    """Learn a number for each bucket of offsets: bias[h, i, j] = table[bucket(i − j), h].

    A distance d < m has bucket d. Farther ones have bucket m + floor(m · ln(d/m) / ln(max_distance/m)),
    at most the last. The edges are exact: rounding moves none. T5 writes key − query; the buckets are
    the same.

    num_buckets: rows of the table, a multiple of 4, or of 2 if not bidirectional.
    max_distance: distance where the buckets end, more than m; all beyond share the last.
    bidirectional: m = num_buckets / 4, and the upper half of the table is for keys after the query.
        Otherwise m = num_buckets / 2, and those keys have bucket 0 (T5's decoder masks them).

    Prefix tokens: no bias. Sizes at call time: any, with q_offset.
    State: relative_position_bias_table (num_buckets, H), truncated normal; the original's
    relative_attention_bias.weight.
    Source: arXiv 1910.10683 §2.1. Used by T5, UL2, LongT5 (without 1/√d), MPNet.
    """

    bias_type = "t5"

    def __init__(
        self,
        num_heads: int,
        window_size: SizeLike,
        init_std: float = 0.02,
        *,
        num_buckets: int = 32,
        max_distance: int = 128,
        bidirectional: bool = True,
        num_prefix_tokens: int = 0,
        dtype: DTypeLike | None = None,
        generator: Generator | None = None,
    ):
        check_bool(bidirectional=bidirectional)
        num_buckets, max_distance = check_positive_int(
            num_buckets=num_buckets, max_distance=max_distance
        )
        sides = 2 if bidirectional else 1
        if num_buckets % (2 * sides):
            raise ValueError(f"num_buckets is {num_buckets}, expected a multiple of {2 * sides}")
        if max_distance <= num_buckets // (2 * sides):
            raise ValueError(
                f"max_distance is {max_distance}, expected more than the "
                f"{num_buckets // (2 * sides)} exact buckets"
            )
        self.num_buckets, self.max_distance = num_buckets, max_distance
        self.bidirectional = bidirectional
        super().__init__(num_heads, window_size, init_std, num_prefix_tokens, dtype, generator)
        self.relative_position_bias_table = Parameter(
            truncated_normal(self.generator, (num_buckets, num_heads), self.init_std, self.dtype)
        )

    def make_index(self, q_size: Size, k_size: Size, q_offset: int = 0) -> Array:
        bucket = self.bucket(grid_offsets(q_size, k_size, q_offset)[..., 0])
        return with_prefix(bucket, self.num_prefix_tokens, *self.prefix_rows(self.num_buckets))

    def bucket(self, offset: Array) -> Array:
        """Return the bucket, in [0, num_buckets).

        offset: integers query − key, of any shape.
        """
        buckets = self.num_buckets
        if not self.bidirectional:
            return self._distance_bucket(np.maximum(offset, 0), buckets)
        half = buckets // 2
        return half * (offset < 0) + self._distance_bucket(np.abs(offset), half)

    def _distance_bucket(self, distance: Array, buckets: int) -> Array:
        exact = buckets // 2
        far = np.clip(distance, exact, self.max_distance)
        growth = math.log(self.max_distance / exact)
        steps = np.log(far / exact) / growth * (buckets - exact)
        whole, nearest = np.array(np.floor(steps), np.int64), np.rint(steps)
        # Where the logarithms' rounding could have crossed an edge, rational numbers decide.
        doubtful = np.abs(steps - nearest) < 1e-15 * buckets * (1 + 1 / growth)
        for n in np.unique(far[doubtful]).tolist():
            step = int(nearest[far == n][0])
            grown = Fraction(n, exact) ** (buckets - exact)
            whole[far == n] = step - (grown < Fraction(self.max_distance, exact) ** step)
        return np.where(distance < exact, distance, np.minimum(exact + whole, buckets - 1))

    def table(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Array:
        return self.with_prefix_rows(self.relative_position_bias_table.data)

    def table_backward(self, dtable: Array) -> None:
        self.relative_position_bias_table.accumulate(dtable[: self.num_buckets])
