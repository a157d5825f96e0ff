"""LeViT's bias over absolute offsets, also for its shrinking attention (arXiv 2104.01136 §4.2)."""

import numpy as np

from ..checks import check_positive_int
from ..nn import Parameter
from ..random import truncated_normal
from ..resize import Method, resize_table
from ..types import Array, DTypeLike, Generator, Size, SizeLike, Sizes
from ._geometry import all_offsets, grid_offsets, grid_positions, tokens_at, with_prefix
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
        self.stride: int = check_positive_int(stride=stride)
        super().__init__(num_heads, window_size, init_std, num_prefix_tokens, dtype, generator)
        num_rows = int(np.prod(self.window_size)) + (3 if num_prefix_tokens else 0)
        self.relative_position_bias_table = Parameter(
            truncated_normal(self.generator, (num_rows, num_heads), self.init_std, self.dtype)
        )

    @property
    def query_size(self) -> Size:
        return tuple(-(-size // self.stride) for size in self.window_size)

    @property
    def query_tokens(self) -> Array | None:
        if self.stride == 1:
            return None
        places = self.stride * grid_positions(self.query_size)
        return tokens_at(places, self.window_size, self.num_prefix_tokens)

    def make_index(self, q_size: Size, k_size: Size, q_offset: int = 0) -> Array:
        dy, dx = np.moveaxis(np.abs(grid_offsets(q_size, k_size, stride=self.stride)), -1, 0)
        first = int(np.prod(self.window_size))
        rows = dy * self.window_size[1] + dx
        return with_prefix(rows, self.num_prefix_tokens, first, first + 1, first + 2)

    def sizes(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Sizes:
        q_size, k_size, q_offset = super().sizes(q_size, k_size, q_offset)
        last_query = tuple(self.stride * (size - 1) for size in q_size)
        check_covered(self, q_size, k_size, q_offset, last_query)
        return q_size, k_size, q_offset

    def table(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Array:
        return self.relative_position_bias_table.data

    def table_backward(self, dtable: Array) -> None:
        self.relative_position_bias_table.accumulate(dtable)

    def resized_tables(self, window: Size, method: Method) -> dict[str, Array]:
        """Resize the table of all offsets, Δ and −Δ alike, and keep its rows of Δ ≥ 0."""
        learned = self.relative_position_bias_table.data
        dy, dx = np.abs(all_offsets(self.window_size, self.window_size)).T
        table = resize_table(learned[dy * self.window_size[1] + dx], self.window_size, window, method)
        kept = (all_offsets(window, window) >= 0).all(-1)
        prefix = learned[np.prod(self.window_size) :]
        return {"relative_position_bias_table": np.concatenate([table[kept], prefix])}
