"""Arrays whose memory returns to a store when their last view is gone, and is used again.

A fresh large array costs a page fault every 4 KiB, often more than what is computed into it. A training
step asks for the same sizes as the one before, so from the second step on nothing is fresh.
"""

import math
import weakref
from collections import defaultdict
from functools import partial

import numpy as np

SMALL = 1 << 14  # bytes; below, the C library keeps memory itself
LINE = 64
MOST_IDLE = 1 << 28  # bytes that may lie idle when new memory is needed

_idle = defaultdict(dict)  # {bytes: {_Memory: anything}}; setdefault and popitem are atomic


class _Memory:
    __slots__ = ("interface", "owner")

    def __init__(self, owner):
        self.owner, self.interface = owner, owner.__array_interface__


class _Lease:
    """Kept alive by every view of a piece of memory; its end returns the memory to the store."""

    __slots__ = ("__array_interface__", "__weakref__", "end")


def empty(shape, dtype):
    """Return an array as np.empty does; large memory is reused.

    The callback at a lease's end is written in C: an interrupt within one in Python would be lost.
    """
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if size < SMALL:
        return np.empty(shape, dtype)
    rounded = _rounded(size)
    idle = _idle[rounded]
    try:
        memory, _ = idle.popitem()
    except KeyError:
        if sum(n * len(memories) for n, memories in list(_idle.items())) > MOST_IDLE:
            clear()
        memory = _Memory(_aligned(rounded))
    lease = _Lease()
    lease.__array_interface__ = memory.interface
    lease.end = weakref.ref(lease, partial(idle.setdefault, memory))  # idle[memory] = the reference
    return np.ndarray(shape, dtype, np.asarray(lease))


def _aligned(size):
    """Return `size` bytes that begin on a cache line, so that no vector lies across two."""
    memory = np.empty(size + LINE, np.uint8)
    start = -memory.ctypes.data % LINE
    return memory[start : start + size]


def clear():
    """Give all idle memory back to the system."""
    for memories in list(_idle.values()):
        memories.clear()


def _rounded(size):
    """Round up by at most an eighth, so that nearly equal sizes share their memory."""
    step = 1 << max(0, size.bit_length() - 4)
    return -(-size // step) * step
