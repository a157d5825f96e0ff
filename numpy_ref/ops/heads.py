"""Put the heads side by side, as a linear layer makes and takes them (timm's qkv)."""

import numpy as np

from ..checks import check_shape
from ..gate import floating
from ..types import Array


def merge_qkv(q: Array, k: Array, v: Array) -> Array:
    """Merge the heads: out[b, i, (n, h, c)] = (q, k, v)[n][b, h, i, c].

    q, k, v: (B, H, L, d).
    Returns out (B, L, 3·H·d), contiguous. Raises TypeError/ValueError naming what does not fit.
    """
    q, k, v = checked_heads(q, k, v)
    batch, heads, length, dim = q.shape
    return np.stack([q, k, v]).transpose(1, 3, 0, 2, 4).reshape(batch, length, 3 * heads * dim)


def checked_heads(q: Array, k: Array, v: Array) -> tuple[Array, Array, Array]:
    """Return plain arrays (B, H, L, d) of one shape; raises TypeError/ValueError."""
    q, k, v = floating(q=q, k=k, v=v)
    check_shape("q", q, (None, None, None, None))
    check_shape("k", k, q.shape)
    check_shape("v", v, q.shape)
    return q, k, v
