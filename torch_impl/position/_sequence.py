"""Schemes over a sequence: any length at call time, prefix tokens without a bias."""

from torch.nn import functional

from ._base import PositionBias


class SequenceBias(PositionBias):
    """Positions count along the sequence; scores with prefix tokens get the table's last row, zeros."""

    def check_size(self, name, size):
        return self.window_size if size is None else self.as_window(name, size)

    def lookup_length(self, length):
        return self.lookup(length, length)

    def with_zero_row(self, table):
        """The row that prefix tokens share, only there when they are."""
        return functional.pad(table, (0, 0, 0, 1)) if self.num_prefix_tokens else table
