"""Learned 2-D table (Swin Transformer, arXiv 2103.14030, eq. 4; prefix rows as in BEiT, 2106.08254)."""

from ._window import WindowTableBias


class TwoD(WindowTableBias):
    """bias[h, i, j] = table[(Δy + h − 1)(2w − 1) + Δx + w − 1, h],  Δ = query − key.

    Table ((2h − 1)(2w − 1), num_heads), three rows more with prefix tokens, truncated normal. Sign and
    order are the originals'. Used by Swin, BEiT, data2vec-vision, timm's relpos ViTs.
    """

    bias_type = "2d"
    window_ndim = 2
