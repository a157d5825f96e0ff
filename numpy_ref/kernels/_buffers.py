"""Arrays whose memory goes back to a store when the last view of them is gone, and is used again.

A fresh large array costs a page fault every 4 KiB, often more than what is computed into it. A training
step asks for the same sizes as the one before, so from the second step on nothing is fresh.
"""

import math
from collections import defaultdict

import numpy as np

SMALL = 1 << 14  # bytes; below, the C library keeps memory itself
LINE = 64
MOST_IDLE = 1 << 28  # bytes that may lie idle when a new size is asked for

_idle = defaultdict(list)  # {bytes: [(memory, its array interface)]}; append and pop are atomic


class _Lease:
    """Owns a piece of memory while an array looks at it."""

    __slots__ = ("__array_interface__", "memory")

    def __init__(self, memory, interface):
        self.memory, self.__array_interface__ = memory, interface

    def __del__(self, idle=_idle):
        idle[len(self.memory)].append((self.memory, self.__array_interface__))


def empty(shape, dtype):
    """As np.empty; large memory is reused."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if size < SMALL:
        return np.empty(shape, dtype)
    whole = _rounded(size)
    try:
        memory = _idle[whole].pop()
    except IndexError:
        if sum(n * len(memories) for n, memories in list(_idle.items())) > MOST_IDLE:
            clear()
        fresh = _aligned(whole)
        memory = fresh, fresh.__array_interface__
    return np.ndarray(shape, dtype, np.asarray(_Lease(*memory)))


def _aligned(size):
    """Bytes that begin on a cache line, so that a vector never lies across two."""
    memory = np.empty(size + LINE, np.uint8)
    start = -memory.ctypes.data % LINE
    return memory[start : start + size]


def clear():
    """Give all idle memory back to the system."""
    _idle.clear()


def _rounded(size):
    """Up to an eighth more, so that nearly equal sizes share their memory."""
    step = 1 << max(0, size.bit_length() - 4)
    return -(-size // step) * step
