"""The index of a window (Swin, BEiT): rpb-check mykernel.py:index --kind index --scheme 2d"""

import numpy as np


def index(window_size, num_prefix_tokens=0):
    """Return integers (P + L, P + L), L = h · w. Put your code here.

    There are more arguments: q_size, k_size and q_offset, for grids of other sizes, and those of a
    scheme, such as num_buckets of "t5". Take those that your function knows.
    """
    height, width = window_size
    y, x = np.indices(window_size).reshape(2, -1)
    down, right = y[:, None] - y, x[:, None] - x  # query − key
    rows = (down + height - 1) * (2 * width - 1) + right + width - 1
    p, first = num_prefix_tokens, (2 * height - 1) * (2 * width - 1)
    whole = np.pad(rows, (p, 0))
    whole[:p, p:], whole[p:, :p], whole[:p, :p] = first, first + 1, first + 2  # query→key
    return whole
