"""LeViT's bias over absolute offsets, also for its shrinking attention (arXiv 2104.01136 §4.2)."""

import math
from typing import Any

import torch
from torch import Tensor

from ..checks import check_positive_int
from ..nn import Parameter
from ..random import truncated_normal
from ..resize import Method, resize_table
from ..types import DTypeLike, Generator, Size, SizeLike, Sizes
from ._geometry import axis_offsets, axis_range, row_major, tokens_at, with_prefix
from ._table import TableBias
from ._window import check_covered


class LeViT(TableBias):
    """Learn a number for each absolute offset on a grid:
    bias[h, i, j] = table[|Δy| · width + |Δx|, h],  Δ = stride · query − key.

    stride: only every stride-th token along each axis is a query, from the first one on (LeViT's
        AttentionSubsample).

    Prefix tokens: three rows more, as "2d". Sizes at call time: any whose offsets the window has.
    State: relative_position_bias_table (height · width [+ 3], H), truncated normal; the original keeps
    it transposed and starts at zero.
    Source: arXiv 2104.01136 §4.2. Used by LeViT, EfficientFormer.
    """

    bias_type = "levit"
    window_ndim = 2

    def __init__(
        self,
        num_heads: int,
        window_size: SizeLike,
        init_std: float = 0.02,
        *,
        stride: int = 1,
        num_prefix_tokens: int = 0,
        dtype: DTypeLike | None = None,
        generator: Generator | None = None,
    ):
        self.stride = check_positive_int(stride=stride)
        super().__init__(num_heads, window_size, init_std, num_prefix_tokens, dtype, generator)
        num_rows = math.prod(self.window_size) + (3 if num_prefix_tokens else 0)
        self.relative_position_bias_table = Parameter(
            truncated_normal(self.generator, (num_rows, num_heads), self.init_std, self.dtype)
        )

    @property
    def query_size(self) -> Size:
        return tuple(len(range(0, size, self.stride)) for size in self.window_size)

    def _make_query_tokens(self) -> Tensor | None:
        if self.stride == 1:
            return None
        return tokens_at(
            self.window_size, self.num_prefix_tokens, slice(0, None, self.stride), self.index.device
        )

    def make_index(self, q_size: Size, k_size: Size, q_offset: int = 0) -> Tensor:
        options: dict[str, Any] = {"stride": self.stride, "device": self.index.device}
        axes = [axis_offsets(q, k, **options).abs() for q, k in zip(q_size, k_size, strict=True)]
        rows, num_rows = row_major(axes, self.window_size), math.prod(self.window_size)
        return with_prefix(rows, self.num_prefix_tokens, *range(num_rows, num_rows + 3))

    def offset_rows(self, q_size: Size, k_size: Size, q_offset: int) -> Tensor:
        sizes, num_rows = zip(q_size, k_size, strict=True), math.prod(self.window_size)
        options: dict[str, Any] = {"stride": self.stride, "device": self.index.device}
        axes = [axis_range(q, k, **options).abs() for q, k in sizes]
        rows = row_major(axes, self.window_size)
        return self.and_prefix(rows, *range(num_rows, num_rows + 3))

    def sizes(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Sizes:
        q_size, k_size, q_offset = super().sizes(q_size, k_size, q_offset)
        last_query = tuple(self.stride * (size - 1) for size in q_size)
        check_covered(self, q_size, k_size, q_offset, last_query)
        return q_size, k_size, q_offset

    def table(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Tensor:
        return self.relative_position_bias_table

    def resized_tables(self, window: Size, method: Method) -> dict[str, Tensor]:
        """Resize the table of all offsets, Δ and −Δ alike, and keep its rows of Δ ≥ 0."""
        learned, prefix = self.relative_position_bias_table.tensor_split([math.prod(self.window_size)])
        table = learned.unflatten(0, self.window_size)
        for axis in range(2):
            before = table.flip(axis).narrow(axis, 0, table.shape[axis] - 1)
            table = torch.cat([before, table], axis)
        table = resize_table(table.flatten(0, 1), self.window_size, window, method)
        table = table.unflatten(0, [2 * size - 1 for size in window])
        table = table[window[0] - 1 :, window[1] - 1 :].flatten(0, 1)
        return {"relative_position_bias_table": torch.cat([table, prefix])}
