"""What Python hands to the loops: contiguous arrays, and where their memory begins."""

from ctypes import addressof, c_char

import numpy as np


def contiguous(*arrays):
    """Return each array in C order, aligned and writeable, copied only if need be; None stays.

    numba would compile every loop once more for read-only arrays.
    """
    return [a if a is None or a.flags.carray else np.array(a, order="C") for a in arrays]


def in_order(*arrays):
    """Return each array in C order and aligned, for loops that get its address: read-only will do."""
    return [
        a if a is None or (a.flags.c_contiguous and a.flags.aligned) else np.array(a, order="C")
        for a in arrays
    ]


def with_contiguous_rows(x):
    """Return x with its last axis contiguous, and aligned; copied only if need be."""
    has_rows = x.strides[-1] == x.itemsize or x.shape[-1] == 1
    return x if has_rows and x.flags.aligned else np.array(x, order="C")


def place(x):
    """Return where an array of rows begins, and the bytes from one entry of each axis to the next."""
    return (x.ctypes.data, *x.strides[:-1])


def addresses(*arrays):
    """Return where each contiguous array's memory begins; 0 for None."""
    return [0 if a is None else address_of(a) for a in arrays]


def address_of(array):
    """Return array.ctypes.data, for most arrays in a third of its time: a step needs hundreds."""
    try:
        return addressof(c_char.from_buffer(array))
    except (TypeError, ValueError):  # read-only, empty or not contiguous
        return array.ctypes.data
