"""The buckets of offsets on a grid by iRPE's four methods (arXiv 2107.14222, eq. 13–18)."""

import math
from typing import Literal, get_args

import torch
from torch import Tensor

from ._geometry import row_major, spread

Method = Literal["euclidean", "quant", "cross", "product"]
METHODS = get_args(Method)


def num_buckets(method: Method, ratio: float) -> int:
    """Return the number of rows of one table: those along one axis, squared for "product"."""
    return _side(ratio) ** 2 if method == "product" else _side(ratio)


def buckets(axes: list[Tensor], method: Method, ratio: float) -> Tensor:
    """Return the buckets of the offsets of both axes together: (1, Lq, Lk), or (2, Lq, Lk) for "cross".

    axes: a matrix of offsets (q, k) per axis.
    """
    least = _least(ratio, axes[0].device)
    if method in ("cross", "product"):
        rows = [_bucket(axis, least) for axis in axes]
        if method == "cross":
            return torch.stack(spread(*rows))
        return row_major(rows, 2 * [_side(ratio)])[None]
    if method == "euclidean":
        least = least * (least - 1) + 1  # round √s ≥ x where s > (x − ½)²
    return _bucket(torch.add(*spread(*(axis.square() for axis in axes))), least)[None]


def _bucket(x: Tensor, least: Tensor) -> Tensor:
    """Return int(β) + g(x): how many of the buckets −int(β) + 1 … int(β) begin at x or before."""
    return torch.bucketize(x, torch.cat([1 - least.flip(0), least]), right=True)


def _least(ratio: float, device: torch.device) -> Tensor:
    """Return the least integer x with g(x) ≥ n, for n = 1 … int(β).

    Up to α, g(x) = x. Beyond, γ/α = 8 and β − α = α, so the number that g rounds is n − ½ at
    x = α · 8^((n − ½)/α − 1). An integer there is a tie, which goes to the even one of n − 1 and n.
    """
    n = torch.arange(1, int(2 * ratio) + 1, device=device)
    edge = ratio * 8 ** ((n.double() - 0.5) / ratio - 1)
    nearest = edge.round()
    tie = (edge - nearest).abs() < 1e-12 * edge
    beyond = torch.where(tie, nearest + n % 2, edge.ceil()).clamp(min=math.floor(ratio) + 1)
    return torch.where(n <= ratio, n, beyond).long()


def _side(ratio: float) -> int:
    """Return the number of buckets along one axis: −int(β) … int(β), β = 2 · ratio."""
    return 2 * int(2 * ratio) + 1
