"""Schemes over a sequence: any length at call time, prefix tokens without a bias."""

import numpy as np

from ._base import PositionBias


class SequenceBias(PositionBias):
    """Positions count along the sequence; scores with prefix tokens get the table's last row, zeros."""

    def check_size(self, name, size):
        return self.window_size if size is None else self.as_window(name, size)

    def lookup_length(self, length):
        return self.lookup(length, length)

    def with_zero_row(self, table):
        """The row that prefix tokens share, only there when they are."""
        if not self.num_prefix_tokens:
            return table
        return np.concatenate([table, np.zeros((1, self.num_heads), table.dtype)])
