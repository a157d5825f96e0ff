"""The base of schemes that do not look at the query: a table and an index (arXiv 2103.14030, eq. 4)."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from .. import ops
from ..checks import check_positive_int
from ..ops import Offsets
from ..types import Size, SizeLike
from ._base import PositionBias, ScoreTerms


class TableBias(PositionBias):
    """Look each pair's bias up in a table: bias[h, i, j] = table[index[i, j], h].

    A scheme defines `make_index(q_size, k_size, q_offset)`, `table(…)`, and in NumPy
    `table_backward(dtable)`. If prefix tokens read no row of their own, the table ends with a row of
    zeros for them.
    """

    causal = False
    stride = 1  # offset = stride · query − key

    offsets_queries: Tensor  # the `Offsets` of the window; offsets_rows is None if there are none
    offsets_keys: Tensor
    offsets_rows: Tensor | None

    def make_buffers(self) -> None:
        super().make_buffers()
        offsets = self._make_offsets(self.query_size, self.window_size, 0)
        for name in ("queries", "keys", "rows"):
            self.keep(f"offsets_{name}", None if offsets is None else getattr(offsets, name))

    def table(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Tensor:
        """Return the table (R, H); the sizes matter only if its rows depend on them."""
        raise NotImplementedError

    def lookup(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> tuple[Tensor, Tensor]:
        """Return (table, index) for the given sizes, those of the window unless given."""
        sizes = self.sizes(q_size, k_size, q_offset)
        index = self.index if self.is_window(*sizes) else self.make_index(*sizes)
        return self.table(*sizes), index

    def lookup_tokens(self, num_tokens: int) -> tuple[Tensor, Tensor]:
        """Return (table, index) for a sequence of `num_tokens`, prefix tokens included.

        Raises TypeError if it is no integer, ValueError for a length that the scheme does not cover.
        """
        return self.lookup(*self.sizes_of(check_positive_int(num_tokens=num_tokens)))

    def score_terms(self, x: Tensor, q: Tensor, k: Tensor) -> ScoreTerms:
        """Return `ScoreTerms`: the table and the index. Only the number of tokens of x matters."""
        sizes = self.sizes_of(x.shape[1], "x")
        offsets = self.offsets(*sizes)
        if offsets is None or self.is_window(*sizes):
            return ScoreTerms(*self.lookup(*sizes), offsets=offsets)
        return ScoreTerms(self.table(*sizes), offsets=offsets)  # some implementations need no index

    def offsets(self, q_size: Size, k_size: Size, q_offset: int = 0) -> Offsets | None:
        """Return what makes the index of these sizes, or None if it depends on more than the offset.

        q_size, k_size, q_offset: as `sizes` returns them.
        """
        if not self.is_window(q_size, k_size, q_offset):
            return self._make_offsets(q_size, k_size, q_offset)
        if self.offsets_rows is None:
            return None
        kept = self.offsets_queries, self.offsets_keys, self.offsets_rows
        return Offsets(*kept, self.num_prefix_tokens, 0 if self.causal else None)

    def _make_offsets(self, q_size: Size, k_size: Size, q_offset: int) -> Offsets | None:
        rows = self.offset_rows(q_size, k_size, q_offset)
        if rows is None:
            return None
        causal = q_offset if self.causal else None
        return Offsets.of_grids(q_size, k_size, rows, self.num_prefix_tokens, causal, self.stride)

    def offset_rows(self, q_size: Size, k_size: Size, q_offset: int) -> Tensor | None:
        """Return the rows of `Offsets` for these sizes, or None if the scheme has none."""
        return None

    def forward(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Tensor:
        """Return the bias (H, P + Lq, P + Lk)."""
        return ops.bias(*self.lookup(q_size, k_size, q_offset))

    def and_prefix(self, rows: Tensor, *prefix_rows: int) -> Tensor:
        """Return the rows of `Offsets`: those of the offsets, then the prefix tokens' if there are any.

        prefix_rows: of prefix→token, token→prefix and prefix→prefix.
        """
        if not self.num_prefix_tokens:
            return rows.flatten()
        return torch.cat([rows.flatten(), *(rows.new_zeros(1) + row for row in prefix_rows)])

    def prefix_rows(self, num_rows: int) -> tuple[int, int, int]:
        """Return the rows that prefix→token, token→prefix and prefix→prefix read (query→key).

        They follow the first `num_rows`: a row of zeros, then, if causal, one of −inf for prefix→token,
        so that prefix tokens see only each other.
        """
        return num_rows + 1 if self.causal else num_rows, num_rows, num_rows

    def with_prefix_rows(self, table: Tensor) -> Tensor:
        """Append those rows to the table, if there are prefix tokens."""
        if not self.num_prefix_tokens:
            return table
        table = functional.pad(table, (0, 0, 0, 1))
        return functional.pad(table, (0, 0, 0, 1), value=-math.inf) if self.causal else table
