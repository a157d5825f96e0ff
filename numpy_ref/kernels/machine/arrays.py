"""What Python hands to the loops: contiguous arrays, and where their memory begins."""

from ctypes import addressof, c_char

import numpy as np


def contiguous(*arrays):
    """Each array in C order, aligned and writeable, copied only where it is not; None stays.

    numba would compile every loop once more for read-only arrays.
    """
    return [a if a is None or a.flags.carray else np.array(a, order="C") for a in arrays]


def addresses(*arrays):
    """Where each contiguous array's memory begins; 0 for None."""
    return [0 if a is None else address_of(a) for a in arrays]


def address_of(array):
    """As array.ctypes.data, in a third of the time for most: a step asks for hundreds."""
    try:
        return addressof(c_char.from_buffer(array))
    except (TypeError, ValueError):  # read-only, empty or not contiguous
        return array.ctypes.data
