"""Relative position bias: gather rows of a table by an index (arXiv 2103.14030, eq. 4)."""


def bias(table, index):
    """bias[h, i, j] = table[index[i, j], h]: table (R, H), index (Lq, Lk) int64 -> (H, Lq, Lk)."""
    lq, lk = index.shape
    return table[index.reshape(-1)].reshape(lq, lk, -1).permute(2, 0, 1).contiguous()
