"""Memory beside a protected page: an access one element too far is a SIGSEGV."""

import ctypes
import math
import mmap
import os
from contextlib import contextmanager

import numpy as np
import numpy.ma  # loaded before np.empty is replaced, since it reads np.empty's docstring

SIDE = os.environ.get("FUZZ_GUARD", "end")  # the side of an array with the page: "end" or "begin"
PAGE = mmap.PAGESIZE
FLAGS = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS

_mprotect = ctypes.CDLL(None, use_errno=True).mprotect
_mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def memory(size, shift=0):
    """Return `size` bytes that end (or begin) `shift` bytes from a protected page."""
    pages = max(1, -(-(size + shift) // PAGE))
    try:
        whole = np.frombuffer(mmap.mmap(-1, (pages + 1) * PAGE, FLAGS), np.uint8)
    except OSError as error:
        raise MemoryError(f"{size} bytes") from error  # as np.empty does
    guard = pages * PAGE if SIDE == "end" else 0
    if _mprotect(whole.ctypes.data + guard, PAGE, 0):
        raise MemoryError(f"mprotect: {os.strerror(ctypes.get_errno())}")
    start = guard - size - shift if SIDE == "end" else PAGE + shift
    return whole[start : start + size]


def empty(shape, dtype=np.float64, order="C", *, like=None, shift=0):
    """Return an array as np.empty does, beside a protected page."""
    if not isinstance(shape, tuple | list | int | np.integer) or like is not None or order != "C":
        return _empty(shape, dtype, order, like=like)
    dtype = np.dtype(dtype)
    shape = tuple(map(int, shape if isinstance(shape, tuple | list) else (shape,)))
    size = math.prod(shape) * dtype.itemsize
    if dtype.hasobject or not dtype.itemsize or not 0 <= size < 1 << 40:
        return _empty(shape, dtype)
    return memory(size, shift).view(dtype).reshape(shape)


def place(array, shift=0):
    """Return a copy of the array in C order beside a protected page."""
    array = np.asarray(array)
    placed = empty(array.shape, array.dtype, shift=shift)
    placed[...] = array
    return placed


@contextmanager
def results(buffers):
    """Make the kernels write beside protected pages in the block; buffers: `kernels.machine.buffers`."""
    kept = buffers.SMALL, buffers._rounded, buffers._aligned
    buffers.SMALL, buffers._rounded, buffers._aligned = 0, lambda size: size, memory
    np.empty, np.zeros = empty, _zeros_beside
    try:
        yield
    finally:
        np.empty, np.zeros = _empty, _zeros
        buffers.SMALL, buffers._rounded, buffers._aligned = kept
        buffers.clear()  # each piece takes two of the process's limited number of mappings


_empty, _zeros = np.empty, np.zeros


def _zeros_beside(shape, dtype=np.float64, order="C", *, like=None):
    return empty(shape, dtype, order, like=like)  # fresh pages are zero
