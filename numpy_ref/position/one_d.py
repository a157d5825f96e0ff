"""Learned 1-D table: one row for each offset of a sequence (Swin's table on one axis)."""

from ._window import WindowTableBias


class OneD(WindowTableBias):
    """bias[h, i, j] = table[i − j + L − 1, h], table (2L − 1, num_heads).

    A grid is read row-major. Sign as in Swin: query − key. Three rows more with prefix tokens. Init:
    truncated normal. Source: arXiv 2103.14030, eq. 4, on one axis; also the "simple" bias of Mega
    (arXiv 2209.10655).
    """

    bias_type = "1d"
    window_ndim = 1
