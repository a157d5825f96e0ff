"""Gather 2×2 neighbours of a map before its resolution is halved (Swin, arXiv 2103.14030 §3.1)."""

import torch
from torch import Tensor
from torch.nn import functional

from ..gate import check_shape, floating


def patch_merging(x: Tensor) -> Tensor:
    """Put the channels of 2×2 neighbours side by side:
    out[b, i, j, (u, v, c)] = x[b, 2i + v, 2j + u, c],  u, v ∈ {0, 1}.

    A map of odd height or width has zeros below or on the right. The order of the four is timm's: the
    upper left, the lower left, the upper right, the lower right token.

    x: (B, H, W, C).
    Returns out (B, ⌈H/2⌉, ⌈W/2⌉, 4C).
    Raises TypeError/ValueError naming what does not fit.
    """
    (x,) = floating(x=x)
    check_shape("x", x, (None, None, None, None))
    x = functional.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
    return torch.cat([x[:, v::2, u::2] for u in (0, 1) for v in (0, 1)], -1)
