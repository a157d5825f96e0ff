"""iRPE's ways to count: from an offset on a grid to buckets (arXiv 2107.14222, eq. 13–18)."""

import math

import torch

from ._geometry import axis_offsets, row_major, spread

METHODS = ("euclidean", "quant", "cross", "product")


def num_buckets(method, ratio):
    """Return the number of rows of one table: those along one axis, squared for "product"."""
    return _side(ratio) ** 2 if method == "product" else _side(ratio)


def buckets(q_size, k_size, method, ratio):
    """Return the buckets of all offsets between two grids: (1, Lq, Lk), or (2, Lq, Lk) for "cross"."""
    axes = [axis_offsets(q, k) for q, k in zip(q_size, k_size, strict=True)]
    least = _least(ratio)
    if method in ("cross", "product"):
        rows = [_bucket(axis, least) for axis in axes]
        return (
            torch.stack(spread(*rows))
            if method == "cross"
            else row_major(rows, 2 * [_side(ratio)])[None]
        )
    if method == "euclidean":
        least = least * (least - 1) + 1  # round √s ≥ x where s > (x − ½)²
    return _bucket(torch.add(*spread(*(axis.square() for axis in axes))), least)[None]


def _bucket(x, least):
    """int(β) + g(x): how many of the buckets −int(β) + 1 … int(β) begin at x or before."""
    return torch.bucketize(x, torch.cat([1 - least.flip(0), least]), right=True)


def _least(ratio):
    """The least integer x with g(x) ≥ n, for n = 1 … int(β).

    Up to α, g(x) = x. Beyond, γ/α = 8 and β − α = α, so what g rounds is n − ½ at
    x = α · 8^((n − ½)/α − 1). An integer there is a tie, which goes to the even one of n − 1 and n.
    """
    n = torch.arange(1, int(2 * ratio) + 1)
    edge = ratio * 8 ** ((n.double() - 0.5) / ratio - 1)
    nearest = edge.round()
    tie = (edge - nearest).abs() < 1e-12 * edge
    beyond = torch.where(tie, nearest + n % 2, edge.ceil()).clamp(min=math.floor(ratio) + 1)
    return torch.where(n <= ratio, n, beyond).long()


def _side(ratio):
    """Return the number of buckets along one axis: −int(β) … int(β), β = 2 · ratio."""
    return 2 * int(2 * ratio) + 1
