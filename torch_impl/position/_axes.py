"""Schemes that add a vector for the height and one for the width: what "decomposed" and "halo" share."""

import torch
from torch import Tensor

from ..nn import Parameter
from ..resize import Method, resize_table
from ..types import Size
from ._geometry import spread, with_prefix
from ._query import QueryBias


class AxesBias(QueryBias):
    """Add a vector for the row and one for the column, each multiplied with the query:
    bias[b, h, i, j] = q[b, h, i] · tables[0][row_y(i, j)] + q[b, h, i] · tables[1][row_x(i, j)].

    A scheme defines `axis_rows`, and `table_names`: two Parameters (rows, d), shared by the heads.
    """

    window_ndim = 2

    def axis_rows(self, q_length: int, k_length: int, size: int) -> Tensor:
        """Return the row that each pair of positions on one axis reads: (q_length, k_length).

        size: of the window along that axis.
        """
        raise NotImplementedError

    def make_index(self, q_size: Size, k_size: Size, q_offset: int = 0) -> Tensor:
        """Return (2, P + Lq, P + Lk): rows of the first table, rows of the second."""
        axes = map(self.axis_rows, q_size, k_size, self.window_size)
        zero_rows = (2 * size - 1 for size in self.window_size)
        return torch.stack(
            [
                with_prefix(rows, self.num_prefix_tokens, zero_row)
                for rows, zero_row in zip(spread(*axes), zero_rows, strict=True)
            ]
        )

    @property
    def tables(self) -> tuple[Parameter, ...]:
        """The two tables: along the height, along the width."""
        return tuple(getattr(self, name) for name in self.table_names)

    def embeddings(self, q_size: Size, k_size: Size, q_offset: int) -> list[Tensor]:
        return [self.with_zero_row(table[None]) for table in self.tables]

    def resized_tables(self, window: Size, method: Method) -> dict[str, Tensor]:
        axes = zip(self.table_names, self.tables, self.window_size, window, strict=True)
        return {name: resize_table(table, old, new, method) for name, table, old, new in axes}
