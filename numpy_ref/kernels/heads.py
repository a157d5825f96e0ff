"""Merge the heads of q, k and v: no copy for the gradients that `attention_backward` lays out merged."""

import numpy as np

from ..ops import heads as definition
from .machine.buffers import empty


def empty_qkv(batch, heads, length, dim, dtype):
    """Three arrays (B, H, L, d) whose `merge_qkv` is the memory they lie in."""
    memory = empty((batch, length, 3, heads, dim), dtype)
    return tuple(memory[:, :, n].transpose(0, 2, 1, 3) for n in range(3))


def merge_qkv(q, k, v):
    """out (B, L, 3·H·d); see `numpy_ref.ops.merge_qkv`."""
    q, k, v = definition.checked_heads(q, k, v)
    batch, heads, length, dim = q.shape
    width, size = 3 * heads * dim, q.itemsize
    strides = (length * width * size, dim * size, width * size, size)
    starts = [x.ctypes.data - n * heads * dim * size for n, x in enumerate((q, k, v))]
    memory = q.base
    together = type(memory) is np.ndarray and memory is k.base is v.base and len(set(starts)) == 1
    alike = all(x.strides == strides and x.size for x in (q, k, v))
    if together and alike and memory.flags.carray:
        return np.ndarray((batch, length, width), q.dtype, memory, starts[0] - memory.ctypes.data)
    return definition.merge_qkv(q, k, v)
