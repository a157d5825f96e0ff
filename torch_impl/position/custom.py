"""A learned table under an index of the user's own: graphs, neighbourhoods, layouts."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from .. import ops
from ..checks import as_index, check_positive_int
from ..nn import Parameter
from ..random import truncated_normal
from ..resize import Method
from ..types import DTypeLike, Generator, IndexLike, Size, SizeLike, Sizes
from ._geometry import with_prefix
from ._table import TableBias


class Custom(TableBias):
    """Learn a table under an index of the user's own:
    bias[h, i, j] = table[index[i, j], h], or −inf if index[i, j] is −1.

    index: integers (Lq, Lk), Lk the tokens of the window.
    num_rows: rows of the table, one more than the largest index unless given.

    Called with another `index`, also one per sample (B, Lq, Lk), the scheme returns (H, Lq, Lk) or
    (B, H, Lq, Lk), which attention takes as its dense `bias`.
    Prefix tokens: no bias. Sizes at call time: the index's only.
    State: relative_position_bias_table (num_rows, H), truncated normal.
    Used as: Graphormer (shortest-path distance, arXiv 2106.05234), neighbourhood attention (−1 outside
    the neighbourhood, arXiv 2204.07143), LayoutLMv2 (buckets of boxes, arXiv 2012.14740).
    """

    bias_type = "custom"
    window_ndim = None

    def __init__(
        self,
        num_heads: int,
        window_size: SizeLike,
        init_std: float = 0.02,
        *,
        index: IndexLike | None = None,
        num_rows: int | None = None,
        num_prefix_tokens: int = 0,
        dtype: DTypeLike | None = None,
        generator: Generator | None = None,
    ):
        if index is None:
            raise TypeError("index is None, expected integers (Lq, Lk)")
        self._given = as_index("index", index, 2).cpu()
        if num_rows is None:
            num_rows = max([0, *self._given.flatten().tolist()]) + 1
        self.num_rows: int = check_positive_int(num_rows=num_rows)
        self._check_rows(self._given)
        super().__init__(num_heads, window_size, init_std, num_prefix_tokens, dtype, generator)
        self.relative_position_bias_table = Parameter(
            truncated_normal(self.generator, (self.num_rows, num_heads), self.init_std, self.dtype)
        )

    def make_index(self, q_size: Size, k_size: Size, q_offset: int = 0) -> Tensor:
        if self._given.shape[1] != math.prod(self.window_size):
            raise ValueError(
                f"index has shape {tuple(self._given.shape)}, expected "
                f"(any, {math.prod(self.window_size)}) for the window {self.window_size}"
            )
        masked, zero = self.num_rows, self.num_rows + 1
        rows = self._given.masked_fill(self._given < 0, masked).to(self.index.device)
        return with_prefix(rows, self.num_prefix_tokens, zero)

    def sizes(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Sizes:
        sizes = super().sizes(q_size, k_size, q_offset)
        if not self._is_window(*sizes):
            raise ValueError(
                f"q_size is {sizes[0]} and k_size {sizes[1]}, but a 'custom' bias has the sizes of its "
                f"index, here those of the window {self.window_size}; call it with another index"
            )
        return sizes

    def table(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Tensor:
        """Return (num_rows + 1 [+ 1], H): the learned rows, one of −inf, zeros for prefix tokens."""
        learned = self.relative_position_bias_table
        masked = learned.new_full((1, self.num_heads), -math.inf)
        zero = learned.new_zeros(1 if self.num_prefix_tokens else 0, self.num_heads)
        return torch.cat([learned, masked, zero])

    def forward(
        self,
        q_size: SizeLike | None = None,
        k_size: SizeLike | None = None,
        q_offset: int = 0,
        index: IndexLike | None = None,
    ) -> Tensor:
        """Return the bias (H, P + Lq, P + Lk), or that of another index.

        index: integers (Lq, Lk) or (B, Lq, Lk) -> (H, Lq, Lk) or (B, H, Lq, Lk), without prefix tokens.
        """
        if index is None:
            return super().forward(q_size, k_size, q_offset)
        index = as_index("index", index, 2, 3).to(self.index.device)
        flat = index.reshape(-1, index.shape[-1])  # (B · Lq, Lk): samples below each other
        table = functional.pad(self.relative_position_bias_table, (0, 0, 1, 0), value=-math.inf)
        try:
            bias = ops.bias(table, flat + 1)  # −1 reads the row of −inf
        except ValueError:
            self._check_rows(index)
            raise
        bias = bias.reshape(self.num_heads, *index.shape)
        return bias if index.dim() == 2 else bias.transpose(0, 1)

    def resized_tables(self, window: Size, method: Method) -> dict[str, Tensor]:
        raise ValueError(
            f"new_window_size is {window}, but the index of a 'custom' bias was given for the window "
            f"{self.window_size}: build one with an index for the new window, and load this table"
        )

    def _check_rows(self, index: Tensor) -> None:
        if index.numel() and not -1 <= index.min() <= index.max() < self.num_rows:
            raise ValueError(
                f"index has entries in [{index.min()}, {index.max()}], expected [0, {self.num_rows}), "
                "or −1 to mask a pair"
            )
