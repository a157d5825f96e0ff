"""Heads side by side: nothing to do for what `attention_backward` has written so from the start."""

import numpy as np

from ..ops import heads as definition
from .machine.buffers import empty


def empty_qkv(batch, heads, length, dim, dtype):
    """Three arrays (B, H, L, d) whose `merge_qkv` is the memory they lie in."""
    whole = empty((batch, length, 3, heads, dim), dtype)
    return tuple(whole[:, :, n].transpose(0, 2, 1, 3) for n in range(3))


def merge_qkv(q, k, v):
    """out (B, L, 3·H·d); see `numpy_ref.ops.merge_qkv`."""
    q, k, v = definition.checked_heads(q, k, v)
    batch, heads, length, dim = q.shape
    width, size = 3 * heads * dim, q.itemsize
    strides = (length * width * size, dim * size, width * size, size)
    starts = [x.ctypes.data - n * heads * dim * size for n, x in enumerate((q, k, v))]
    whole = q.base
    together = type(whole) is np.ndarray and whole is k.base is v.base and len(set(starts)) == 1
    alike = all(x.strides == strides and x.size for x in (q, k, v))
    if together and alike and whole.flags.carray:
        return np.ndarray((batch, length, width), q.dtype, whole, starts[0] - whole.ctypes.data)
    return definition.merge_qkv(q, k, v)
