"""Schemes that add a vector for the height and one for the width; what "decomposed" and "halo" share."""

import torch
from torch import Tensor

from ..nn import Parameter
from ..types import Size
from ._geometry import spread, with_prefix
from ._query import QueryBias


class AxesBias(QueryBias):
    """bias[b, h, i, j] = q[b, h, i] · tables[0][row_y(i, j)] + q[b, h, i] · tables[1][row_x(i, j)].

    A scheme defines `axis_rows` and the names of two Parameters (rows, head_dim), shared by the heads.
    """

    window_ndim = 2

    def axis_rows(self, q_length: int, k_length: int, size: int) -> Tensor:
        """(q_length, k_length): the row along one axis whose window has that size."""
        raise NotImplementedError

    def make_index(self, q_size: Size, k_size: Size, q_offset: int = 0) -> Tensor:
        """(2, P + Lq, P + Lk): rows of the height's table, rows of the width's."""
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
        """The height's and the width's."""
        return tuple(getattr(self, name) for name in self.table_names)

    def embeddings(self, q_size: Size, k_size: Size, q_offset: int) -> list[Tensor]:
        return [self.with_zero_row(table[None]) for table in self.tables]
