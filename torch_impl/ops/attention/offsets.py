"""An index that depends on the offset only: what a kernel computes instead of reading an index."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor

from ...gate import check_entries, check_shape, integers
from ..bias import gather_rows


class Offsets(NamedTuple):
    """Describe the index of a bias that depends on the offset only, without storing it:
    index[i, j] = rows[queries[i] + keys[j]].

    An offset Δ of several axes is numbered row-major, o = Σ_a (i_a − j_a + k_a − 1) · stride_a. This is
    a number for the query plus one for the key, so that O(Lq + Lk) integers describe the index.

    queries: int64 (Lq,); keys: int64 (Lk,) in [0, O), no two of a grid's tokens alike. Those of prefix
        tokens are not read.
    rows: int64 (O,), the row of the table for each offset; with prefix tokens (O + 3,), and the last
        three are for prefix→token, token→prefix and prefix→prefix (query→key).
    num_prefix_tokens: number P of tokens before the grid.
    causal: C, if the rows of all pairs of tokens with j > i + C hold −inf, i and j without the prefix;
        None for a bias that hides nothing. A kernel may skip those pairs.
    """

    queries: Tensor
    keys: Tensor
    rows: Tensor
    num_prefix_tokens: int = 0
    causal: int | None = None

    @classmethod
    def of_grids(
        cls,
        q_size: Sequence[int],
        k_size: Sequence[int],
        rows: Tensor,
        num_prefix_tokens: int = 0,
        causal: int | None = None,
        stride: int = 1,
    ) -> Self:
        """Number the offsets stride · i − j between two grids.

        q_size, k_size: tokens along each axis of the queries' grid and of the keys'.
        rows: int64, for each of the Π (stride · (q − 1) + k) offsets, row-major from the lowest; then
            the prefix tokens' three.
        """
        queries = keys = torch.zeros(1, dtype=torch.long, device=rows.device)
        for q, k in zip(q_size, k_size, strict=True):
            count = stride * (q - 1) + k
            i, j = (torch.arange(n, device=rows.device) for n in (q, k))
            queries = (queries[:, None] * count + stride * i).flatten()
            keys = (keys[:, None] * count + k - 1 - j).flatten()
        prefix = queries.new_zeros(num_prefix_tokens)
        both = torch.cat([prefix, queries]), torch.cat([prefix, keys])
        return cls(*both, rows, num_prefix_tokens, causal)

    # tuple.index is not called.
    def index(self) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the index itself, int64 (Lq, Lk); on the CPU ValueError for an offset without a row."""
        p, last = self.num_prefix_tokens, self.rows.shape[0] - 3
        offsets = self.queries[:, None] + self.keys
        if p:
            offsets[:p], offsets[:, :p], offsets[:p, :p] = last, last + 1, last + 2
        try:
            return self.rows.index_select(0, offsets.flatten()).reshape(offsets.shape)
        except (IndexError, RuntimeError):
            check_entries("offsets.queries + offsets.keys", offsets, len(self.rows))
            raise

    def by_offset(self, table: Tensor) -> Tensor:
        """Return the rows of the table (R, H) in the order of the offsets: (O [+ 3], H)."""
        return gather_rows(table, self.rows)


def check_offsets(offsets: Offsets, q_len: int, k_len: int) -> None:
    """Check shapes and dtypes; raises TypeError/ValueError."""
    if not isinstance(offsets, Offsets):
        raise TypeError(f"offsets is a {type(offsets).__name__}, expected Offsets")
    integers("offsets.queries", offsets.queries, q_len)
    integers("offsets.keys", offsets.keys, k_len)
    check_shape("offsets.rows", offsets.rows, (None,))
