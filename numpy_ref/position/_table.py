"""The base of schemes that do not look at the query: a table and an index (arXiv 2103.14030, eq. 4)."""

import numpy as np

from ..checks import check_positive_int
from ..dispatch import F
from ..gate import gradient
from ..ops import AttentionGrads
from ..types import Array, SizeLike
from ._base import PositionBias, ScoreTerms, TermGrads


class TableBias(PositionBias):
    """Look each pair's bias up in a table: bias[h, i, j] = table[index[i, j], h].

    A scheme defines `make_index(q_size, k_size, q_offset)`, `table(…)`, and in NumPy
    `table_backward(dtable)`. If prefix tokens read no row of their own, the table ends with a row of
    zeros for them.
    """

    causal = False

    def table(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Array:
        """Return the table (R, H); the sizes matter only if its rows depend on them."""
        raise NotImplementedError

    def table_backward(self, dtable: Array) -> None:
        """Add the gradient of `table(…)` to the parameters behind it."""
        raise NotImplementedError

    def lookup(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> tuple[Array, Array]:
        """Return (table, index) for the given sizes, those of the window unless given."""
        sizes = self.sizes(q_size, k_size, q_offset)
        is_window = sizes == (self.query_size, self.window_size, 0)
        return self.table(*sizes), self.index if is_window else self.make_index(*sizes)

    def lookup_tokens(self, num_tokens: int) -> tuple[Array, Array]:
        """Return (table, index) for a sequence of `num_tokens`, prefix tokens included.

        Raises TypeError if it is no integer, ValueError for a length that the scheme does not cover.
        """
        return self.lookup(*self.sizes_of(check_positive_int(num_tokens=num_tokens)))

    def score_terms(self, x: Array, q: Array, k: Array) -> ScoreTerms:
        """Return `ScoreTerms`: the table and the index. Only the number of tokens of x matters."""
        table, index = self.lookup(*self.sizes_of(x.shape[1], "x"))
        return ScoreTerms(table, index)

    def score_terms_backward(self, grads: AttentionGrads) -> TermGrads:
        assert grads.dtable is not None  # the terms have a table
        self.table_backward(grads.dtable)
        return TermGrads()

    def forward(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Array:
        """Return the bias (H, P + Lq, P + Lk)."""
        table, index = self.lookup(q_size, k_size, q_offset)
        bias = F.bias_forward(table, index)
        self._cache = index, len(table), bias.shape, bias.dtype
        return bias

    def backward(self, dbias: Array) -> None:
        """Add the parameters' gradients up; there is no input gradient.

        dbias: (H, P + Lq, P + Lk).
        """
        index, num_rows, shape, dtype = self.spend()
        dbias = gradient("dbias", dbias, shape, dtype)
        self.table_backward(F.bias_backward(dbias, index, num_rows))

    def prefix_rows(self, num_rows: int) -> tuple[int, int, int]:
        """Return the rows that prefix→token, token→prefix and prefix→prefix read (query→key).

        They follow the first `num_rows`: a row of zeros, then, if causal, one of −inf for prefix→token,
        so that prefix tokens see only each other.
        """
        return num_rows + self.causal, num_rows, num_rows

    def with_prefix_rows(self, table: Array) -> Array:
        """Append those rows to the table, if there are prefix tokens."""
        if not self.num_prefix_tokens:
            return table
        fills = [0.0, -np.inf] if self.causal else [0.0]
        return np.concatenate([table, *(np.full((1, self.num_heads), f, table.dtype) for f in fills)])
