"""Relative position bias: gather rows of a table by an index (arXiv 2103.14030, eq. 4)."""

from torch import Tensor

from ..gate import check_shape, floating, integers, raise_entries
from ..wide import wide


def bias(table: Tensor, index: Tensor) -> Tensor:
    """Gather the bias: bias[h, i, j] = table[index[i, j], h].

    In half precision the rows go through float32. That changes no bit of the output, but autograd then
    adds up the thousands of terms of the table's gradient in float32.

    table: floats (R, H).
    index: integers (Lq, Lk) in [0, R).
    Returns bias (H, Lq, Lk), contiguous.
    Raises TypeError/ValueError; for an index outside the table only if it lies on the CPU.
    """
    (table,) = floating(table=table)
    check_shape("table", table, (None, None))
    index = integers("index", index, None, None)
    if index.device.type == "cpu" and index.numel():  # on CUDA looking would stall the queue
        low, high = int(index.min()), int(index.max())  # here: a call would break one graph more
        if low < 0 or high >= len(table):
            raise_entries("index", low, high, len(table))
    rows = wide(table)[index.reshape(-1)].to(table.dtype)
    return rows.reshape(*index.shape, table.shape[1]).permute(2, 0, 1).contiguous()
