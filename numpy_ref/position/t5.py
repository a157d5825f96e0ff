"""T5's bucketed bias (arXiv 1910.10683 §2.1): exact near, logarithmic far."""

import math

import numpy as np

from ..checks import check_bool, check_positive_int
from ..nn import Parameter
from ..random import truncated_normal
from ..types import Array, DTypeLike, Generator, Size, SizeLike
from ._geometry import grid_offsets, with_prefix
from ._table import TableBias


class T5(TableBias):
    """bias[h, i, j] = table[bucket(i − j), h], table (num_buckets, num_heads).

    Distances below half of the buckets have one each; beyond, buckets widen logarithmically up to
    max_distance, and all farther ones share the last. Bidirectional: the upper half of the table is
    for keys after the query. Otherwise those keys share bucket 0 (T5's decoder masks them).
    T5 writes key − query; here the offset is query − key and the buckets are the same.
    The table is the original's relative_attention_bias.weight. Any sizes and q_offset at call time.
    Prefix tokens: no bias. Init: truncated normal. Used by T5, UL2, LongT5 (without 1/√d), MPNet.
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
        """offset = query − key, any shape -> bucket in [0, num_buckets)."""
        buckets = self.num_buckets
        if not self.bidirectional:
            return self._distance_bucket(np.maximum(offset, 0), buckets)
        half = buckets // 2
        return half * (offset < 0) + self._distance_bucket(np.abs(offset), half)

    def _distance_bucket(self, distance: Array, buckets: int) -> Array:
        exact = buckets // 2
        ratio = np.log(np.maximum(distance, exact) / exact) / math.log(self.max_distance / exact)
        far = exact + (ratio * (buckets - exact)).astype(np.int64)
        return np.where(distance < exact, distance, np.minimum(far, buckets - 1))

    def table(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Array:
        return self.with_prefix_rows(self.relative_position_bias_table.data)

    def table_backward(self, dtable: Array) -> None:
        self.relative_position_bias_table.accumulate(dtable[: self.num_buckets])
