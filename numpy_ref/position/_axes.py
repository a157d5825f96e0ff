"""Schemes that add a vector for the height and one for the width: what "decomposed" and "halo" share."""

import numpy as np

from ..nn import Parameter
from ..resize import Method, resize_table
from ..types import Array, Size
from ._geometry import with_prefix
from ._query import QueryBias


class AxesBias(QueryBias):
    """Add a vector for the row and one for the column, each multiplied with the query:
    bias[b, h, i, j] = q[b, h, i] · tables[0][row_y(i, j)] + q[b, h, i] · tables[1][row_x(i, j)].

    A scheme defines `axis_rows`, and `table_names`: two Parameters (rows, d), shared by the heads.
    """

    window_ndim = 2

    def axis_rows(self, q_length: int, k_length: int, size: int) -> Array:
        """Return the row that each pair of positions on one axis reads: (q_length, k_length).

        size: of the window along that axis.
        """
        raise NotImplementedError

    def make_index(self, q_size: Size, k_size: Size, q_offset: int = 0) -> Array:
        """Return (2, P + Lq, P + Lk): rows of the first table, rows of the second."""
        shape = (*q_size, *k_size)  # (qy, qx, ky, kx)
        y, x = (self.axis_rows(*each) for each in zip(q_size, k_size, self.window_size, strict=True))
        grids = (y[:, None, :, None], x[None, :, None, :])
        lengths = (np.prod(q_size), np.prod(k_size))
        return np.stack(
            [
                with_prefix(
                    np.broadcast_to(rows, shape).reshape(lengths),
                    self.num_prefix_tokens,
                    2 * size - 1,
                )
                for rows, size in zip(grids, self.window_size, strict=True)
            ]
        )

    @property
    def tables(self) -> tuple[Parameter, ...]:
        """The two tables: along the height, along the width."""
        return tuple(getattr(self, name) for name in self.table_names)

    def embeddings(self, q_size: Size, k_size: Size, q_offset: int) -> list[Array]:
        return [self.with_zero_row(table.data[None]) for table in self.tables]

    def embeddings_backward(self, dembeddings: list[Array]) -> None:
        for table, dembedding in zip(self.tables, dembeddings, strict=True):
            table.accumulate(dembedding[0, : len(table.data)])

    def resized_tables(self, window: Size, method: Method) -> dict[str, Array]:
        axes = zip(self.table_names, self.tables, self.window_size, window, strict=True)
        return {name: resize_table(table.data, old, new, method) for name, table, old, new in axes}
