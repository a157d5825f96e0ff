"""SiLU, also called swish (arXiv 1606.08415, 1702.03118)."""

from torch.nn import functional


def silu(x):
    """x · σ(x)"""
    return functional.silu(x)
