"""Relative position representations (Shaw et al., arXiv 1803.02155)."""

import math

from torch import Tensor

from ..checks import check_bool, check_positive_int
from ..nn import Parameter
from ..random import truncated_normal
from ..types import DTypeLike, Generator, Size, SizeLike
from ._geometry import axis_offsets, with_prefix
from ._query import QueryBias


class Shaw(QueryBias):
    """Multiply the query with a vector for each clipped offset, and add one to each value:
    bias[b, h, i, j] = q[b, h, i] · a^K[r] / √d,  out[b, h, i] += Σ_j P[b, h, i, j] a^V[r],
    r = clip(i − j, −m, m) + m.

    The paper counts key − query: its row clip(j − i) + m is this one read backwards. A grid is read
    row-major.

    head_dim: width d of a head.
    max_distance: m, the largest distance with a vector of its own.
    values: False leaves a^V out.

    Prefix tokens: nothing added. Sizes at call time: any, with q_offset.
    State: relative_position_keys (a^K) and relative_position_values (a^V), (2m + 1, d) each, shared by
    the heads, truncated normal.
    Source: arXiv 1803.02155. Used by Music Transformer, tensor2tensor.
    """

    bias_type = "shaw"
    table_names = ("relative_position_keys", "relative_position_values")

    def __init__(
        self,
        num_heads: int,
        window_size: SizeLike,
        init_std: float = 0.02,
        *,
        head_dim: int,
        max_distance: int = 16,
        values: bool = True,
        num_prefix_tokens: int = 0,
        dtype: DTypeLike | None = None,
        generator: Generator | None = None,
    ):
        check_bool(values=values)
        self.max_distance: int = check_positive_int(max_distance=max_distance)
        super().__init__(num_heads, window_size, init_std, head_dim, num_prefix_tokens, dtype, generator)
        self.factor = 1 / math.sqrt(self.head_dim)
        shape = (2 * self.max_distance + 1, self.head_dim)
        self.relative_position_keys = Parameter(
            truncated_normal(self.generator, shape, self.init_std, self.dtype)
        )
        self.relative_position_values = None
        if values:
            self.relative_position_values = Parameter(
                truncated_normal(self.generator, shape, self.init_std, self.dtype)
            )

    def make_index(self, q_size: Size, k_size: Size, q_offset: int = 0) -> Tensor:
        last = 2 * self.max_distance
        offsets = axis_offsets(q_size[0], k_size[0], q_offset, device=self.index.device)
        rows = (offsets + self.max_distance).clamp(0, last)
        return with_prefix(rows, self.num_prefix_tokens, last + 1)

    def embeddings(self, q_size: Size, k_size: Size, q_offset: int) -> list[Tensor]:
        return [self.with_zero_row(self.relative_position_keys[None])]

    def value_embedding(self, q_size: Size, k_size: Size, q_offset: int) -> Tensor | None:
        if self.relative_position_values is None:
            return None
        return self.with_zero_row(self.relative_position_values[None])
