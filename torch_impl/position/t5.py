"""T5's bucketed bias (arXiv 1910.10683 §2.1): exact near, logarithmic far."""

import math

import torch
from torch import Tensor

from ..checks import check_bool, check_positive_int
from ..nn import Parameter
from ..random import truncated_normal
from ..types import DTypeLike, Generator, Size, SizeLike
from ._geometry import axis_offsets, axis_range, with_prefix
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

    least: Tensor  # distance of each bucket after the first

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

    def _make_buffers(self) -> None:
        buckets = self.num_buckets // 2 if self.bidirectional else self.num_buckets
        self._keep("least", least_distances(buckets, self.max_distance).to(self.index.device))
        super()._make_buffers()

    def make_index(self, q_size: Size, k_size: Size, q_offset: int = 0) -> Tensor:
        bucket = self.bucket(axis_offsets(q_size[0], k_size[0], q_offset, device=self.index.device))
        return with_prefix(bucket, self.num_prefix_tokens, *self.prefix_rows(self.num_buckets))

    def offset_rows(self, q_size: Size, k_size: Size, q_offset: int) -> Tensor:
        bucket = self.bucket(axis_range(q_size[0], k_size[0], q_offset, device=self.index.device))
        return self.and_prefix(bucket, *self.prefix_rows(self.num_buckets))

    def bucket(self, offset: Tensor) -> Tensor:
        """Return the bucket, in [0, num_buckets).

        offset: integers query − key, of any shape.
        """
        if not self.bidirectional:
            return self._rank(offset)
        return torch.where(offset < 0, self.num_buckets // 2, 0) + self._rank(offset.abs())

    def _rank(self, distance: Tensor) -> Tensor:
        """Return how many buckets after the first begin at the distance or before; none below 0."""
        return torch.bucketize(distance, self.least.to(distance.device), right=True)

    def table(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Tensor:
        return self.with_prefix_rows(self.relative_position_bias_table)


def least_distances(buckets: int, max_distance: int) -> Tensor:
    """Return the least distance in each bucket after the first, (buckets − 1,) on the CPU.

    m = buckets / 2 buckets have one distance each. Bucket m + t begins at m (D/m)^(t/m), D =
    max_distance, rounded up. Where that is close to an integer d, integers decide: it is reached if
    d^m ≥ D^t m^(m − t).
    """
    m = buckets // 2
    edges = m * (max_distance / m) ** (torch.arange(1, m, dtype=torch.float64) / m)
    least, nearest = edges.ceil().long(), edges.round().long()
    for n in torch.nonzero((edges - nearest).abs() < 1e-14 * edges).flatten().tolist():
        d, t, common = int(nearest[n]), n + 1, math.gcd(n + 1, m)  # the same root of both sides
        reached = d ** (m // common) >= max_distance ** (t // common) * m ** ((m - t) // common)
        least[n] = d if reached else d + 1
    return torch.cat([torch.arange(1, m + 1), least])
