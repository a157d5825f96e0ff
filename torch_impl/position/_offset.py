"""The base of schemes that compute the bias of an offset, so that they take any sizes at call time."""

import math

import torch
from torch import Tensor

from ..types import Size, SizeLike
from ._geometry import all_offsets, offset_rows, with_prefix
from ._table import TableBias


class OffsetBias(TableBias):
    """Compute the bias from the offset: bias[h, i, j] = f_h(Δ), on any number of axes.

    The table holds f of every offset between the two grids, row-major from the lowest, so that any sizes
    will do. With `causal` (one axis) keys after the query get −inf. Prefix tokens have no bias; if
    causal, they do not see the other tokens, so that nothing leaks through them.
    """

    def of_offsets(self, offsets: Tensor) -> Tensor:
        """Return f (R, H).

        offsets: integers (R, axes).
        """
        raise NotImplementedError

    def make_index(self, q_size: Size, k_size: Size, q_offset: int = 0) -> Tensor:
        rows, num_rows = offset_rows(q_size, k_size, self.index.device)
        return with_prefix(rows, self.num_prefix_tokens, *self.prefix_rows(num_rows))

    def offset_rows(self, q_size: Size, k_size: Size, q_offset: int) -> Tensor:
        num_rows = math.prod([q + k - 1 for q, k in zip(q_size, k_size, strict=True)])
        rows = torch.arange(num_rows, device=self.index.device)
        return self.and_prefix(rows, *self.prefix_rows(num_rows))

    def hidden(self, offsets: Tensor) -> Tensor:
        """Return which offsets are masked with −inf: (R, 1 or H).

        offsets: integers (R, axes).
        """
        return (offsets[:, :1] < 0) & self.causal

    def table(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Tensor:
        """Return (Π (q + k − 1) [+ 1 with prefix tokens, + 2 if causal], H)."""
        offsets = all_offsets(*self.sizes(q_size, k_size, q_offset), self.index.device)
        values = self.of_offsets(offsets).masked_fill(self.hidden(offsets), -math.inf)
        return self.with_prefix_rows(values.to(self.dtype))
