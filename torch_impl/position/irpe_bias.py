"""iRPE in bias mode (arXiv 2107.14222 §3): a table of numbers under one of four ways to count."""

from torch import Tensor

from ..checks import check_bool
from ..nn import Parameter
from ..ops.bias import gather_rows
from ..random import truncated_normal
from ..types import DTypeLike, Generator, Size, SizeLike
from ..wide import wide
from ._irpe_buckets import Method
from ._irpe_rows import IRPERows
from ._table import TableBias


class IRPEBias(TableBias):
    """Learn a number for each of iRPE's buckets: bias[h, i, j] = table[r(Δ), h],  Δ = query − key.

    The paper's mode "bias"; its mode "contextual" is "irpe".

    method, ratio: what r(Δ) is, as "irpe".
    shared_head: one column for all heads.

    Prefix tokens: one row more ("cross": one per half), for all their pairs. Sizes at call time: any.
    State: relative_position_bias_table (R, 1 or H), truncated normal (the original: zeros); R as "irpe".
    Source: arXiv 2107.14222 §3. Used by DeiT with iRPE.
    """

    bias_type = "irpe_bias"
    window_ndim = 2

    joint_rows: Tensor  # as `IRPERows.joint`, of the window

    def __init__(
        self,
        num_heads: int,
        window_size: SizeLike,
        init_std: float = 0.02,
        *,
        method: Method = "product",
        shared_head: bool = True,
        ratio: float = 1.9,
        num_prefix_tokens: int = 0,
        dtype: DTypeLike | None = None,
        generator: Generator | None = None,
    ):
        check_bool(shared_head=shared_head)
        self._bucket_rows = IRPERows(method, ratio, num_prefix_tokens)
        super().__init__(num_heads, window_size, init_std, num_prefix_tokens, dtype, generator)
        shape = (self._bucket_rows.num_rows, 1 if shared_head else self.num_heads)
        self.relative_position_bias_table = Parameter(
            truncated_normal(self.generator, shape, self.init_std, self.dtype)
        )

    def _make_buffers(self) -> None:
        super()._make_buffers()
        window = self.window_size, self.window_size, self.index.device
        self._keep("joint_rows", self._bucket_rows.joint(*window)[0])

    def make_index(self, q_size: Size, k_size: Size, q_offset: int = 0) -> Tensor:
        return self._bucket_rows.joint(q_size, k_size, self.index.device)[1]

    def offset_rows(self, q_size: Size, k_size: Size, q_offset: int) -> Tensor | None:
        rows = self._bucket_rows.by_offset(q_size, k_size, self.index.device)
        last = self._bucket_rows.num_rows - 1
        return None if rows is None else self.and_prefix(rows, last, last, last)

    def table(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Tensor:
        """Return (R', H); for method "cross" with a row for each pair of rows that occurs."""
        q_size, k_size, q_offset = self.sizes(q_size, k_size, q_offset)
        rows = self.joint_rows
        if not self._is_window(q_size, k_size, q_offset):
            rows = self._bucket_rows.joint(q_size, k_size, self.index.device)[0]
        learned = gather_rows(wide(self.relative_position_bias_table), rows.flatten())
        return learned.unflatten(0, rows.shape).sum(0).to(self.dtype).expand(-1, self.num_heads)
