"""Which rows of a table each pair of tokens reads: what "irpe" and "irpe_bias" share."""

import torch
from torch import Tensor

from ..checks import as_number, check_choice, check_natural
from ..types import Size
from ._geometry import axis_offsets, axis_range, joint_rows, remembered, with_prefix
from ._irpe_buckets import METHODS, Method, buckets, num_buckets


class IRPERows:
    """Find the rows r(Δ) by one of iRPE's methods.

    Method "cross" adds two rows. Its index counts the pairs of rows that occur (joint rows), so that one
    index per pair of tokens is enough for every method. num_rows: length of a learned table.
    """

    def __init__(self, method: Method, ratio: float, num_prefix_tokens: int):
        check_choice("method", method, METHODS)
        self.method: Method = method
        self.ratio = as_number("ratio", ratio, "(0, 4096]")
        self.num_prefix_tokens: int = check_natural(num_prefix_tokens=num_prefix_tokens)
        self._rows_per_table = num_buckets(method, self.ratio) + (self.num_prefix_tokens > 0)
        self.num_rows = self._rows_per_table * (2 if method == "cross" else 1)
        self._joints = {}  # by size: finding them takes longer than using them

    def joint(self, q_size: Size, k_size: Size) -> tuple[Tensor, Tensor]:
        """Return rows (1 or 2, R') of a learned table, to be added up, and the index of each pair."""
        sizes = q_size, k_size
        return remembered(self._joints, sizes, lambda: self._find_joint(*sizes))

    def by_offset(self, q_size: Size, k_size: Size) -> Tensor | None:
        """Return the row of each offset between two grids, row-major; None for method "cross"."""
        if self.method == "cross":
            return None
        axes = [axis_range(q, k) for q, k in zip(q_size, k_size, strict=True)]
        return buckets(axes, self.method, self.ratio).flatten()

    def _find_joint(self, q_size: Size, k_size: Size) -> tuple[Tensor, Tensor]:
        count = self._rows_per_table
        axes = [axis_offsets(q, k) for q, k in zip(q_size, k_size, strict=True)]
        found = buckets(axes, self.method, self.ratio)
        rows = torch.stack([with_prefix(each, self.num_prefix_tokens, count - 1) for each in found])
        if self.method == "cross":  # the columns' rows follow the rows'
            return joint_rows(rows + torch.tensor([0, count])[:, None, None])
        return torch.arange(count)[None], rows[0]
