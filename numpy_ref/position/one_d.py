"""Learned 1-D table: one row for each offset of a sequence (Swin's table on one axis)."""

from ._window import WindowTableBias


class OneD(WindowTableBias):
    """Learn a number for each offset in a sequence: bias[h, i, j] = table[i − j + L − 1, h].

    L is the window's number of tokens; a grid is read row-major. The sign is Swin's, query − key.
    Prefix tokens: three rows more, as "2d". Sizes at call time: any whose offsets the window has, with
    q_offset.
    State: relative_position_bias_table (2L − 1 [+ 3], H), truncated normal.
    Source: arXiv 2103.14030, eq. 4, on one axis; also the "simple" bias of Mega (arXiv 2209.10655).
    """

    bias_type = "1d"
    window_ndim = 1
