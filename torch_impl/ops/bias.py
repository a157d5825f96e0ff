"""Relative position bias: gather rows of a table by an index (arXiv 2103.14030, eq. 4)."""

from torch import Tensor
from torch.nn.functional import embedding

from ..gate import check_entries, check_shape, floating, integers
from ..wide import wide


def bias(table: Tensor, index: Tensor) -> Tensor:
    """Gather the bias: bias[h, i, j] = table[index[i, j], h].

    In half precision the rows go through float32. That changes no bit of the output, but autograd then
    adds up the thousands of terms of the table's gradient in float32.

    table: floats (R, H).
    index: integers (Lq, Lk) in [0, R).
    Returns bias (H, Lq, Lk), contiguous.
    Raises TypeError/ValueError. Nothing here looks at the entries of the index. PyTorch's own range
    check finds one outside the table: a ValueError on the CPU, on CUDA whatever PyTorch does.
    """
    (table,) = floating(table=table)
    check_shape("table", table, (None, None))
    index = integers("index", index, None, None)
    try:
        rows = gather_rows(wide(table), index.reshape(-1)).to(table.dtype)
    except (IndexError, RuntimeError):
        check_entries("index", index, table.shape[0])
        raise
    return rows.reshape(*index.shape, table.shape[1]).permute(2, 0, 1).contiguous()


def gather_rows(table: Tensor, rows: Tensor) -> Tensor:
    """Return table[rows], (n, H), for a table (R, H) and rows (n,); a negative row is out of range.

    The table's gradient has the same bits whatever the number of threads. On the CPU `index_select`'s
    backward is the fastest; on CUDA it would add with atomics, while `embedding`'s sorts the rows.
    """
    return table.index_select(0, rows) if table.device.type == "cpu" else embedding(rows, table)
