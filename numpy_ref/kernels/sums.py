"""Sums over rows, for the gradients of what every row shares: a weight, a bias.

Rows are summed in groups, which threads take, and the groups are added up in order. How the rows are cut
follows from their number alone, so the bits do not depend on the threads.
"""

import numpy as np

from .machine.buffers import empty
from .machine.jit import inner
from .machine.simd import lane, lanes, load_first, splat, store_first

GROUPS, GROUP_ROWS = 16, 256  # at most so many groups of rows in backward, of at least so many rows
TWO_GROUPS = 64  # rows that are worth a second group though it is small, for a second thread
SHORT = 16  # rows added up in their own precision before float64 takes over
GROUP_PIECE = 1 << 13  # elements of a piece when the groups are added up


def groups_of(rows):
    """Return the number of groups that rows are cut into: even, so that two threads end together."""
    if rows < TWO_GROUPS:
        return min(rows, 1)
    return min(GROUPS, 2 * max(1, rows // (2 * GROUP_ROWS)))


def empty_groups(groups, shape, dtype):
    """Return an array for each group, one for their sum, and in how many pieces they are added up.

    The sum takes the place of the first group.
    """
    sums = empty((max(groups, 1), *shape), dtype)
    return sums, sums[0], max(1, -(-sums[0].size // GROUP_PIECE))


def zero_sums(groups, size, dtype):
    """Return zeros in float64 for each group, and an array for their sum."""
    return np.zeros((groups, size)), np.empty(size, dtype)


@inner
def add_rows(like, rows, height, width, sums):
    """sums (width,) += Σ of the rows (height, width) in float64; SHORT at a time in their precision."""
    size, count = like.itemsize, lanes(like)
    for start in range(0, height, SHORT):
        end = min(start + SHORT, height)
        for j in range(0, width, count):
            left = min(width - j, count)
            added = splat(like, 0.0)
            for i in range(start, end):
                added = added + load_first(like, rows + (i * width + j) * size, left)
            for n in range(left):
                sums[j + n] += lane(added, n)


@inner
def add_groups(like, sums, groups, elements, piece, total):
    """A piece of total = Σ over the groups of sums[group], in order."""
    size = like.itemsize
    end = min(piece * GROUP_PIECE + GROUP_PIECE, elements)
    for j in range(piece * GROUP_PIECE, end, lanes(like)):
        added = splat(like, 0.0)
        for g in range(groups):
            added = added + load_first(like, sums + (g * elements + j) * size, end - j)
        store_first(total + j * size, added, end - j)


@inner
def add_up(sums, total):
    """total = Σ over the rows of sums (float64), in order; all of sums is used up."""
    for group in range(1, len(sums)):
        for j in range(total.size):
            sums[0, j] += sums[group, j]
    for j in range(total.size):
        total[j] = sums[0, j] if len(sums) else 0
