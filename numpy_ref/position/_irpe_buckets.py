"""The buckets of offsets on a grid by iRPE's four methods (arXiv 2107.14222, eq. 13–18)."""

import math
from typing import Literal, get_args

import numpy as np

from ..types import Array

Method = Literal["euclidean", "quant", "cross", "product"]
METHODS = get_args(Method)


def num_buckets(method: Method, ratio: float) -> int:
    """Return the number of rows of one table: those along one axis, squared for "product"."""
    return _side(ratio) ** 2 if method == "product" else _side(ratio)


def buckets(offsets: Array, method: Method, ratio: float) -> Array:
    """Return the buckets of offsets (Lq, Lk, 2), from 0 on: (1, Lq, Lk), or (2, Lq, Lk) for "cross"."""
    dy, dx = np.moveaxis(offsets, -1, 0)
    if method == "cross":
        return np.stack([_piecewise(ratio, dy), _piecewise(ratio, dx)])
    if method == "product":
        return (_piecewise(ratio, dy) * _side(ratio) + _piecewise(ratio, dx))[None]
    squared = dy**2 + dx**2
    return _piecewise(ratio, np.round(np.sqrt(squared)) if method == "euclidean" else squared)[None]


def _piecewise(ratio: float, x: Array) -> Array:
    """Return int(β) + g(x), in [0, 2 · int(β)]."""
    alpha, beta, gamma = ratio, 2 * ratio, 8 * ratio
    far = np.log(np.maximum(np.abs(x), alpha) / alpha) / math.log(gamma / alpha) * (beta - alpha)
    bucket = np.minimum(np.round(alpha + far), beta)
    rows = np.where(np.abs(x) <= alpha, np.round(x), np.sign(x) * np.trunc(bucket))
    return int(beta) + rows.astype(np.int64)


def _side(ratio: float) -> int:
    """Return the number of buckets along one axis: −int(β) … int(β), β = 2 · ratio."""
    return 2 * int(2 * ratio) + 1
