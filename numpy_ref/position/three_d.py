"""Learned 3-D table (Video Swin Transformer, arXiv 2106.13230 §3.2): time, height, width."""

from ._window import WindowTableBias


class ThreeD(WindowTableBias):
    """bias[h, i, j] = table[((Δt + t − 1)(2h − 1) + Δy + h − 1)(2w − 1) + Δx + w − 1, h],
    Δ = query − key.

    Table ((2t − 1)(2h − 1)(2w − 1), num_heads), truncated normal. The original has the same sign, order
    and table; its strides are right for unequal sizes too. Used by Video Swin.
    """

    bias_type = "3d"
    window_ndim = 3
