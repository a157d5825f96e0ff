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

    def joint(self, q_size: Size, k_size: Size, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return rows (1 or 2, R') of a learned table, to be added up, and the index of each pair.

        For "cross" R' counts the pairs of rows that occur. How many do is in the data, which cannot be
        traced: torch.compile and torch.export get all pairs.
        """
        sizes = q_size, k_size, device
        if torch.compiler.is_compiling():
            return self._find_joint(*sizes)
        return remembered(self._joints, sizes, lambda: self._find_joint(*sizes))

    def by_offset(self, q_size: Size, k_size: Size, device: torch.device) -> Tensor | None:
        """Return the row of each offset between two grids, row-major; None for method "cross"."""
        if self.method == "cross":
            return None
        axes = [axis_range(q, k, device=device) for q, k in zip(q_size, k_size, strict=True)]
        return buckets(axes, self.method, self.ratio).flatten()

    def _find_joint(self, q_size: Size, k_size: Size, device: torch.device) -> tuple[Tensor, Tensor]:
        count = self._rows_per_table
        axes = [axis_offsets(q, k, device=device) for q, k in zip(q_size, k_size, strict=True)]
        found = buckets(axes, self.method, self.ratio)
        rows = torch.stack([with_prefix(each, self.num_prefix_tokens, count - 1) for each in found])
        if self.method != "cross":
            return torch.arange(count, device=device)[None], rows[0]
        joint, index = all_pairs(rows, count) if torch.compiler.is_compiling() else joint_rows(rows)
        return torch.stack([joint[0], joint[1] + count]), index  # the columns' rows follow the rows'


def all_pairs(indices: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return all pairs of rows (2, count²), and the index (Lq, Lk) into them.

    indices: (2, Lq, Lk), integers in [0, count).
    """
    row = torch.arange(count, device=indices.device)
    return torch.cartesian_prod(row, row).T, count * indices[0] + indices[1]
