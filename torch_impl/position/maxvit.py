"""The bias table of CoAtNet (arXiv 2106.04803 §2.1), MaxViT (arXiv 2204.01697): one plane per head."""

import math

from torch import Tensor

from ..nn import Parameter
from ..random import truncated_normal
from ..resize import Method, resize_table
from ..types import DTypeLike, Generator, Size, SizeLike, Sizes
from ._geometry import axis_offsets, axis_range, row_major, with_prefix
from ._table import TableBias
from ._window import check_covered


class MaxViT(TableBias):
    """Learn a number for each offset on a grid, kept as a plane per head:
    bias[h, i, j] = planes[h, −Δy + height − 1, −Δx + width − 1],  Δ = query − key.

    The planes count key − query, as timm's RelPosBiasTf. `table()` reverses them into rows by
    query − key, so that the index is that of "2d".
    Prefix tokens: no bias. Sizes at call time: any whose offsets the window has.
    State: relative_position_bias_table (H, 2 · height − 1, 2 · width − 1), truncated normal (timm:
    normal of std 0.02).
    Source: arXiv 2106.04803 §2.1. Used by CoAtNet, MaxViT.
    """

    bias_type = "maxvit"
    window_ndim = 2

    def __init__(
        self,
        num_heads: int,
        window_size: SizeLike,
        init_std: float = 0.02,
        *,
        num_prefix_tokens: int = 0,
        dtype: DTypeLike | None = None,
        generator: Generator | None = None,
    ):
        super().__init__(num_heads, window_size, init_std, num_prefix_tokens, dtype, generator)
        planes = (num_heads, *(2 * size - 1 for size in self.window_size))
        self.relative_position_bias_table = Parameter(
            truncated_normal(self.generator, planes, self.init_std, self.dtype)
        )

    def make_index(self, q_size: Size, k_size: Size, q_offset: int = 0) -> Tensor:
        counts = [2 * size - 1 for size in self.window_size]
        sizes = zip(q_size, k_size, self.window_size, strict=True)
        axes = [axis_offsets(k, q, device=self.index.device).T + size - 1 for q, k, size in sizes]
        key_to_query = row_major(axes, counts)
        num_rows = math.prod(counts)
        rows = num_rows - 1 - key_to_query  # half a turn of the planes reverses their rows
        return with_prefix(rows, self.num_prefix_tokens, *self.prefix_rows(num_rows))

    def offset_rows(self, q_size: Size, k_size: Size, q_offset: int) -> Tensor:
        sizes = zip(q_size, k_size, self.window_size, strict=True)
        counts = [2 * size - 1 for size in self.window_size]
        device = self.index.device
        axes = [axis_range(q, k, device=device) + size - 1 for q, k, size in sizes]
        rows = row_major(axes, counts)
        return self.and_prefix(rows, *self.prefix_rows(math.prod(counts)))

    def sizes(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Sizes:
        sizes = super().sizes(q_size, k_size, q_offset)
        check_covered(self, *sizes)
        return sizes

    def table(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Tensor:
        """Return the planes as rows of query − key: ((2 · height − 1)(2 · width − 1) [+ 1], H)."""
        planes = self.relative_position_bias_table.flip(1, 2)
        return self.with_prefix_rows(planes.flatten(1).T)

    def resized_tables(self, window: Size, method: Method) -> dict[str, Tensor]:
        rows = self.relative_position_bias_table.flatten(1).T
        planes = [2 * size - 1 for size in window]
        table = resize_table(rows, self.window_size, window, method)
        return {"relative_position_bias_table": table.T.unflatten(1, planes)}
