"""Learned tables over the offsets of a window: what the 1-D, 2-D and 3-D schemes share."""

import math

from torch import Tensor

from ..nn import Parameter
from ..random import truncated_normal
from ..resize import Method, resize_table
from ..types import DTypeLike, Generator, Size, SizeLike, Sizes
from ._base import PositionBias
from ._geometry import axis_range, row_major, window_rows, with_prefix
from ._table import TableBias


class WindowTableBias(TableBias):
    """Learn a row for each offset in a window of any number of axes: R = Π (2 · size − 1) rows.

    Prefix tokens read three rows more: prefix→patch, patch→prefix, prefix→prefix (query→key; BEiT, arXiv
    2106.08254). Sizes at call time: any whose offsets the window has.
    """

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
        num_rows = self.num_offsets + (3 if num_prefix_tokens else 0)
        self.relative_position_bias_table = Parameter(
            truncated_normal(self.generator, (num_rows, num_heads), self.init_std, self.dtype)
        )

    @property
    def num_offsets(self) -> int:
        """Number of offsets in the window, Π (2 · size − 1)."""
        return math.prod([2 * size - 1 for size in self.window_size])

    def make_index(self, q_size: Size, k_size: Size, q_offset: int = 0) -> Tensor:
        rows = window_rows(q_size, k_size, self.window_size, q_offset, self.index.device)
        return with_prefix(rows, self.num_prefix_tokens, *range(self.num_offsets, self.num_offsets + 3))

    def offset_rows(self, q_size: Size, k_size: Size, q_offset: int) -> Tensor:
        sizes = zip(q_size, k_size, self.window_size, strict=True)
        device = self.index.device
        axes = [axis_range(q, k, q_offset, device=device) + size - 1 for q, k, size in sizes]
        rows = row_major(axes, [2 * size - 1 for size in self.window_size])
        return self.and_prefix(rows, *range(self.num_offsets, self.num_offsets + 3))

    def sizes(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Sizes:
        sizes = super().sizes(q_size, k_size, q_offset)
        check_covered(self, *sizes)
        return sizes

    def table(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Tensor:
        return self.relative_position_bias_table

    def resized_tables(self, window: Size, method: Method) -> dict[str, Tensor]:
        table = self.relative_position_bias_table
        own = self.window_size, window, method, self.num_prefix_tokens
        return {"relative_position_bias_table": resize_table(table, *own)}


def check_covered(
    scheme: PositionBias, q_size: Size, k_size: Size, q_offset: int, last_query: Size | None = None
) -> None:
    """Raise ValueError unless the window has every offset between the two grids.

    last_query: position of the last query along each axis, q_size − 1 + q_offset unless given.
    """
    last_query = last_query or tuple(q - 1 + q_offset for q in q_size)
    for last, k, size in zip(last_query, k_size, scheme.window_size, strict=True):
        if q_offset - (k - 1) <= -size or last >= size:
            raise ValueError(
                f"q_size is {q_size}, k_size {k_size} and q_offset {q_offset}, but a "
                f"{scheme.bias_type!r} table covers the offsets of its window {scheme.window_size} only"
            )
