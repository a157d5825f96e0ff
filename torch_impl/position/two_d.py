"""Learned 2-D table (Swin Transformer, arXiv 2103.14030, eq. 4; prefix rows as in BEiT, 2106.08254)."""

from ._window import WindowTableBias


class TwoD(WindowTableBias):
    """Learn a number for each offset on a grid:
    bias[h, i, j] = table[(Δy + height − 1)(2 · width − 1) + Δx + width − 1, h],  Δ = query − key.

    Sign and order of the rows are the originals'. Prefix tokens read three rows more: prefix→patch,
    patch→prefix, prefix→prefix (query→key). Sizes at call time: any whose offsets the window has.
    State: relative_position_bias_table ((2 · height − 1)(2 · width − 1) [+ 3], H), truncated normal.
    Source: arXiv 2103.14030, eq. 4; prefix rows arXiv 2106.08254. Used by Swin, BEiT, data2vec-vision.
    """

    bias_type = "2d"
    window_ndim = 2
