"""Learned 1-D table: one row for each offset of a sequence (Swin's table on one axis)."""

from ._window import WindowTableBias


class OneD(WindowTableBias):
    """bias[h, i, j] = table[i − j + L − 1, h], table (2L − 1, num_heads).

    A grid is read row-major. Sign: query − key.
    Init: truncated normal. Source: arXiv 2103.14030, eq. 4, on one axis.
    """

    bias_type = "1d"
    window_ndim = 1
