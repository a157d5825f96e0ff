"""The base of schemes that compute the bias of an offset, so that they take any sizes at call time."""

import numpy as np

from ..types import Array, Size, SizeLike
from ._geometry import all_offsets, grid_offsets, offset_rows, with_prefix
from ._table import TableBias


class OffsetBias(TableBias):
    """Compute the bias from the offset: bias[h, i, j] = f_h(Δ), on any number of axes.

    The table holds f of every offset between the two grids, row-major from the lowest, so that any sizes
    will do. With `causal` (one axis) keys after the query get −inf. Prefix tokens have no bias; if
    causal, they do not see the other tokens, so that nothing leaks through them.
    """

    def of_offsets(self, offsets: Array) -> Array:
        """Return f (R, H).

        offsets: integers (R, axes).
        """
        raise NotImplementedError

    def of_offsets_backward(self, dvalues: Array) -> None:
        """Add the gradient of `of_offsets` to the parameters behind it.

        dvalues: (R, H).
        """

    def make_index(self, q_size: Size, k_size: Size, q_offset: int = 0) -> Array:
        rows = offset_rows(grid_offsets(q_size, k_size, q_offset), q_size, k_size, q_offset)
        num_rows = len(all_offsets(q_size, k_size))
        return with_prefix(rows, self.num_prefix_tokens, *self.prefix_rows(num_rows))

    def hidden(self, offsets: Array) -> Array:
        """Return which offsets are masked with −inf: (R, 1 or H).

        offsets: integers (R, axes).
        """
        return (offsets[:, :1] < 0) & self.causal

    def table(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Array:
        """Return (Π (q + k − 1) [+ 1 with prefix tokens, + 2 if causal], H)."""
        offsets = all_offsets(*self.sizes(q_size, k_size, q_offset))
        self._hidden = self.hidden(offsets)
        values = np.where(self._hidden, -np.inf, self.of_offsets(offsets))
        return self.with_prefix_rows(values.astype(self.dtype))

    def table_backward(self, dtable: Array) -> None:
        """Add the parameters' gradients up: masked offsets and the rows of prefix tokens have none."""
        dvalues = dtable[: len(self._hidden)]
        self.of_offsets_backward(np.where(self._hidden, 0, dvalues).astype(self.dtype))
