"""Merge the heads of q, k and v: no copy for the gradients that `attention_backward` lays out merged."""

import numpy as np

from ..ops import heads as definition
from .machine import threads
from .machine.arrays import address_of, place, with_contiguous_rows
from .machine.buffers import empty
from .machine.jit import compiled
from .machine.simd import lanes, load_first, store_first
from .machine.threads import PIECE, share, taken


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
    return _merged(q, k, v) if q.size else definition.merge_qkv(q, k, v)


def _merged(q, k, v):
    """A copy of q, k and v side by side, a token at a time."""
    batch, heads, length, dim = q.shape
    width, tokens = 3 * heads * dim, batch * length
    out, height = empty((batch, length, width), q.dtype), max(1, PIECE // width)
    rows = [with_contiguous_rows(x) for x in (q, k, v)]  # alive until the job is done
    places, shape = tuple(place(x) for x in rows), (tokens, heads, length, dim, height)
    threads.run(_merge, -(-tokens // height), np.empty(0, q.dtype), places, address_of(out), shape)
    return out


@compiled
def _merge(worker, words, helpers, *arguments):
    """out (tokens, 3, H, d), `height` tokens a piece; places: of q, k and v (B, H, L, d)."""
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, like, places, out, shape = arguments
    tokens, heads, length, dim, height = shape
    size, count = like.itemsize, lanes(like)
    for piece in taken(progress, pieces):
        for token in range(piece * height, min(piece * height + height, tokens)):
            b, i, target = token // length, token % length, out + token * 3 * heads * dim * size
            for start, b_bytes, h_bytes, i_bytes in places:
                for h in range(heads):
                    row = start + b * b_bytes + h * h_bytes + i * i_bytes
                    for j in range(0, dim, count):
                        store_first(
                            target + j * size, load_first(like, row + j * size, dim - j), dim - j
                        )
                    target += dim * size
