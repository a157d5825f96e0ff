"""Learned tables over the offsets of a window; what the 1-D and 2-D schemes share."""

import math

from ..nn import Parameter
from ..random import truncated_normal
from ._base import PositionBias
from ._geometry import grid_offsets, offset_rows, with_prefix


class WindowTableBias(PositionBias):
    """A learned row for each offset in a window of any number of axes (Swin), plus BEiT's three rows.

    R = Π (2·size − 1), and three more with prefix tokens: prefix→patch, patch→prefix, prefix→prefix
    (BEiT, arXiv 2106.08254), where query→key.
    """

    def __init__(
        self,
        num_heads,
        window_size,
        init_std=0.02,
        *,
        num_prefix_tokens=0,
        dtype=None,
        generator=None,
    ):
        super().__init__(num_heads, window_size, init_std, num_prefix_tokens, dtype, generator)
        num_rows = self.num_offsets + (3 if num_prefix_tokens else 0)
        self.relative_position_bias_table = Parameter(
            truncated_normal(self.generator, (num_rows, num_heads), init_std, self.dtype)
        )

    @property
    def num_offsets(self):
        return math.prod(2 * size - 1 for size in self.window_size)

    def make_index(self, q_size, k_size):
        rows = offset_rows(grid_offsets(q_size, k_size), self.window_size)
        first = self.num_offsets
        return with_prefix(rows, self.num_prefix_tokens, first, first + 1, first + 2)

    def table(self, q_size=None, k_size=None):
        return self.relative_position_bias_table
