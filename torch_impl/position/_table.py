"""What schemes that do not look at the query are: a table and an index (arXiv 2103.14030, eq. 4)."""

import math

from torch import Tensor
from torch.nn import functional

from .. import ops
from ..checks import check_positive_int
from ..types import SizeLike
from ._base import PositionBias, ScoreTerms


class TableBias(PositionBias):
    """bias[h, i, j] = table[index[i, j], h].

    A scheme defines `make_index(q_size, k_size, q_offset)` and `table(…)`. A table that prefix tokens do
    not read for themselves ends with a row of zeros for them.
    """

    causal = False

    def table(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Tensor:
        """(R, num_heads); the sizes matter only to a scheme whose rows depend on them."""
        raise NotImplementedError

    def lookup(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> tuple[Tensor, Tensor]:
        """(table, index) for the given sizes, prefix tokens not counted; the window's by default."""
        sizes = self.sizes(q_size, k_size, q_offset)
        if sizes == (self.query_size, self.window_size, 0):
            return self.table(*sizes), self.index
        return self.table(*sizes), self.make_index(*sizes).to(self.index.device)

    def lookup_tokens(self, num_tokens: int) -> tuple[Tensor, Tensor]:
        """(table, index) for a sequence of `num_tokens`, prefix tokens included.

        Raises TypeError for no integer, ValueError for a length that the scheme does not cover.
        """
        return self.lookup(*self.sizes_of(check_positive_int(num_tokens=num_tokens)))

    def score_terms(self, x: Tensor, q: Tensor, k: Tensor) -> ScoreTerms:
        """The table and the index; of x, q and k only the number of tokens matters."""
        return ScoreTerms(*self.lookup(*self.sizes_of(x.shape[1], "x")))

    def forward(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Tensor:
        """bias (num_heads, P + Lq, P + Lk)."""
        return ops.bias(*self.lookup(q_size, k_size, q_offset))

    def prefix_rows(self, num_rows: int) -> tuple[int, int, int]:
        """Rows after the first `num_rows`: zeros, and −inf so that a causal prefix sees no token.

        For prefix→token, token→prefix and prefix→prefix, query→key.
        """
        return num_rows + 1 if self.causal else num_rows, num_rows, num_rows

    def with_prefix_rows(self, table: Tensor) -> Tensor:
        """The table with those rows, which are only there when prefix tokens are."""
        if not self.num_prefix_tokens:
            return table
        table = functional.pad(table, (0, 0, 0, 1))
        return functional.pad(table, (0, 0, 0, 1), value=-math.inf) if self.causal else table
