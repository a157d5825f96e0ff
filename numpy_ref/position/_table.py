"""What schemes that do not look at the query are: a table and an index (arXiv 2103.14030, eq. 4)."""

import numpy as np

from ..checks import check_positive_int
from ..dispatch import F
from ..gate import gradient
from ..ops import AttentionGrads
from ..types import Array, SizeLike
from ._base import PositionBias, ScoreTerms, TermGrads


class TableBias(PositionBias):
    """bias[h, i, j] = table[index[i, j], h].

    A scheme defines `make_index(q_size, k_size, q_offset)`, `table(…)` and `table_backward(dtable)`.
    A table that prefix tokens do not read for themselves ends with a row of zeros for them.
    """

    causal = False

    def table(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Array:
        """(R, num_heads); the sizes matter only to a scheme whose rows depend on them."""
        raise NotImplementedError

    def table_backward(self, dtable: Array) -> None:
        """Add the gradient of `table(…)` to the parameters behind it."""
        raise NotImplementedError

    def lookup(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> tuple[Array, Array]:
        """(table, index) for the given sizes, prefix tokens not counted; the window's by default."""
        sizes = self.sizes(q_size, k_size, q_offset)
        own = sizes == (self.query_size, self.window_size, 0)
        return self.table(*sizes), self.index if own else self.make_index(*sizes)

    def lookup_tokens(self, num_tokens: int) -> tuple[Array, Array]:
        """(table, index) for a sequence of `num_tokens`, prefix tokens included.

        Raises TypeError for no integer, ValueError for a length that the scheme does not cover.
        """
        return self.lookup(*self.sizes_of(check_positive_int(num_tokens=num_tokens)))

    def score_terms(self, x: Array, q: Array, k: Array) -> ScoreTerms:
        """The table and the index; of x, q and k only the number of tokens matters."""
        table, index = self.lookup(*self.sizes_of(x.shape[1], "x"))
        return ScoreTerms(table, index)

    def score_terms_backward(self, grads: AttentionGrads) -> TermGrads:
        assert grads.dtable is not None  # the terms have a table
        self.table_backward(grads.dtable)
        return TermGrads()

    def forward(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Array:
        """bias (num_heads, P + Lq, P + Lk)."""
        table, index = self.lookup(q_size, k_size, q_offset)
        bias = F.bias_forward(table, index)
        self._cache = index, len(table), bias.shape, bias.dtype
        return bias

    def backward(self, dbias: Array) -> None:
        """dbias (num_heads, P + Lq, P + Lk) -> parameter gradients; there is no input gradient."""
        index, num_rows, shape, dtype = self.spend()
        dbias = gradient("dbias", dbias, shape, dtype)
        self.table_backward(F.bias_backward(dbias, index, num_rows))

    def prefix_rows(self, num_rows: int) -> tuple[int, int, int]:
        """Rows after the first `num_rows`: zeros, and −inf so that a causal prefix sees no token.

        For prefix→token, token→prefix and prefix→prefix, query→key.
        """
        return num_rows + self.causal, num_rows, num_rows

    def with_prefix_rows(self, table: Array) -> Array:
        """The table with those rows, which are only there when prefix tokens are."""
        if not self.num_prefix_tokens:
            return table
        fills = [0.0, -np.inf] if self.causal else [0.0]
        return np.concatenate([table, *(np.full((1, self.num_heads), f, table.dtype) for f in fills)])
