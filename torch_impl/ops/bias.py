"""Relative position bias: gather rows of a table by an index (arXiv 2103.14030, eq. 4)."""

from ..wide import wide


def bias(table, index):
    """bias[h, i, j] = table[index[i, j], h]: table (R, H), index (Lq, Lk) int64 -> (H, Lq, Lk).

    In half precision the rows go through float32, which changes no output bit but lets autograd add
    up the thousands of terms of the table's gradient in float32. Raises ValueError for an index
    outside the table where it lies on the CPU.
    """
    if index.device.type == "cpu" and index.numel():  # on CUDA looking would stall the queue
        low, high = int(index.min()), int(index.max())
        if low < 0 or high >= len(table):
            raise ValueError(f"index has entries in [{low}, {high}], expected [0, {len(table)})")
    rows = wide(table)[index.reshape(-1)].to(table.dtype)
    return rows.reshape(*index.shape, table.shape[1]).permute(2, 0, 1).contiguous()
