"""Learned 3-D table (Video Swin Transformer, arXiv 2106.13230 §3.2): time, height, width."""

from ._window import WindowTableBias


class ThreeD(WindowTableBias):
    """Learn a number for each offset in a video: bias[h, i, j] = table[row, h],
    row = ((Δt + time − 1)(2 · height − 1) + Δy + height − 1)(2 · width − 1) + Δx + width − 1,
    Δ = query − key.

    Sign, order and table are the original's; here the strides are right for unequal sizes too. Prefix
    tokens: three rows more, as "2d". Sizes at call time: any whose offsets the window has.
    State: relative_position_bias_table ((2 · time − 1)(2 · height − 1)(2 · width − 1) [+ 3], H),
    truncated normal.
    Source: arXiv 2106.13230 §3.2. Used by Video Swin.
    """

    bias_type = "3d"
    window_ndim = 3
