"""iRPE's ways to count: from an offset on a grid to buckets (arXiv 2107.14222, eq. 13–18)."""

import math

import torch

METHODS = ("euclidean", "quant", "cross", "product")


def num_buckets(method, ratio):
    """Rows of one table: those of a line, or for product of a square."""
    return _side(ratio) ** 2 if method == "product" else _side(ratio)


def buckets(offsets, method, ratio):
    """offsets (Lq, Lk, 2) -> (1 or 2, Lq, Lk): buckets from 0 on; two of them for cross."""
    dy, dx = offsets.unbind(-1)
    if method == "cross":
        return torch.stack([_piecewise(ratio, dy), _piecewise(ratio, dx)])
    if method == "product":
        return (_piecewise(ratio, dy) * _side(ratio) + _piecewise(ratio, dx))[None]
    squared = offsets.square().sum(-1)
    distance = squared.double().sqrt().round() if method == "euclidean" else squared
    return _piecewise(ratio, distance)[None]


def _piecewise(ratio, x):
    """int(β) + g(x), in [0, 2·int(β)]."""
    alpha, beta, gamma = ratio, 2 * ratio, 8 * ratio
    x = x.double()
    far = torch.log(x.abs().clamp(min=alpha) / alpha) / math.log(gamma / alpha) * (beta - alpha)
    outer = x.sign() * (alpha + far).round().clamp(max=beta)
    return int(beta) + torch.where(x.abs() <= alpha, x.round(), outer).long()


def _side(ratio):
    """Buckets along one axis: −int(β) … int(β), β = 2 · ratio."""
    return 2 * int(2 * ratio) + 1
