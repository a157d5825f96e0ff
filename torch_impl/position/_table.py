"""The base of schemes that do not look at the query: a table and an index (arXiv 2103.14030, eq. 4)."""

import math

from torch import Tensor
from torch.nn import functional

from .. import ops
from ..checks import check_positive_int
from ..types import SizeLike
from ._base import PositionBias, ScoreTerms


class TableBias(PositionBias):
    """Look each pair's bias up in a table: bias[h, i, j] = table[index[i, j], h].

    A scheme defines `make_index(q_size, k_size, q_offset)`, `table(…)`, and in NumPy
    `table_backward(dtable)`. If prefix tokens read no row of their own, the table ends with a row of
    zeros for them.
    """

    causal = False

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
        return ScoreTerms(*self.lookup(*self.sizes_of(x.shape[1], "x")))

    def forward(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Tensor:
        """Return the bias (H, P + Lq, P + Lk)."""
        return ops.bias(*self.lookup(q_size, k_size, q_offset))

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
