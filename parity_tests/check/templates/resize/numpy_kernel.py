"""A table of offsets for another window in NumPy: rpb-check mykernel.py:resize --kind resize

Bicubic only. A function that takes `method` is also asked "linear" and "geometric".
"""

import numpy as np


def resize(table, window_size, new_window_size, num_prefix_tokens=0):
    """Return (out, what backward needs), out (R', H). Put your forward kernel here."""
    matrix = np.ones((1, 1))
    for old, new in zip(window_size, new_window_size, strict=True):
        matrix = np.kron(matrix, interpolation(2 * old - 1, 2 * new - 1))
    rows = matrix.shape[1]  # after them come three rows of prefix tokens, which are copied
    out = np.concatenate([matrix @ table[:rows].astype(np.float64), table[rows:]])
    return out.astype(table.dtype), (matrix, table.dtype)


def resize_backward(dout, cache):
    """Return the gradient by name. Put your backward kernel here."""
    matrix, dtype = cache
    rows = len(matrix)
    dtable = np.concatenate([matrix.T @ dout[:rows].astype(np.float64), dout[rows:]])
    return {"dtable": dtable.astype(dtype)}


def interpolation(old, new):
    """Return the weights (new, old) of Keys' cubic, a = −0.75, the first and last row repeated."""
    places = (np.arange(new) + 0.5) * (old / new) - 0.5  # of the new rows among the old ones
    matrix = np.zeros((new, old))
    for tap in range(-2, old + 2):
        x = abs(places - tap)
        near, far = (1.25 * x - 2.25) * x * x + 1, -0.75 * (((x - 5) * x + 8) * x - 4)
        weights = np.where(x <= 1, near, np.where(x < 2, far, 0))
        matrix[:, min(max(tap, 0), old - 1)] += weights
    return matrix
