"""Schemes that compute the bias of an offset, so that any size will do at call time."""

import numpy as np

from ..types import Array, Size, SizeLike
from ._geometry import all_offsets, grid_offsets, offset_rows, with_prefix
from ._table import TableBias


class OffsetBias(TableBias):
    """bias[h, i, j] = f_h(position of query i − position of key j), on any number of axes.

    The table holds f of every offset between the two grids, row-major from the most negative. With
    `causal` (one axis) keys after the query get −inf. Prefix tokens have no bias; when causal, they do
    not see the tokens, so that nothing leaks through them.
    """

    def of_offsets(self, offsets: Array) -> Array:
        """offsets (R, axes) -> f (R, num_heads)."""
        raise NotImplementedError

    def of_offsets_backward(self, dvalues: Array) -> None:
        """Add the gradient of `of_offsets` to the parameters behind it."""

    def make_index(self, q_size: Size, k_size: Size, q_offset: int = 0) -> Array:
        rows = offset_rows(grid_offsets(q_size, k_size, q_offset), q_size, k_size, q_offset)
        num_rows = len(all_offsets(q_size, k_size))
        return with_prefix(rows, self.num_prefix_tokens, *self.prefix_rows(num_rows))

    def hidden(self, offsets: Array) -> Array:
        """Which offsets (R, 1 or num_heads) are masked with −inf."""
        return (offsets[:, :1] < 0) & self.causal

    def table(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Array:
        """(Π (q + k − 1) [+ 1 with prefix tokens, + 2 if causal], num_heads)."""
        offsets = all_offsets(*self.sizes(q_size, k_size, q_offset))
        self._hidden = self.hidden(offsets)
        values = np.where(self._hidden, -np.inf, self.of_offsets(offsets))
        return self.with_prefix_rows(values.astype(self.dtype))

    def table_backward(self, dtable: Array) -> None:
        """What is masked has no gradient, and neither have the rows of prefix tokens."""
        dvalues = dtable[: len(self._hidden)]
        self.of_offsets_backward(np.where(self._hidden, 0, dvalues).astype(self.dtype))
