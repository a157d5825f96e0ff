"""Known bugs of an index in how it counts tokens, of LeViT's absolute offsets, and of a row per axis."""

from itertools import permutations

import numpy as np

from .grids import Axes, LeViT
from .reference import Reference

# tokens


class Transposed(Reference):
    """the index is transposed: its rows are keys and its columns queries"""

    def out(self):
        return super().out().swapaxes(-1, -2)


class Overflow(Reference):
    """rows above {largest} have wrapped around: {dtype} does not hold them"""

    dtype: str

    def out(self):
        return super().out().astype(self.dtype).astype(np.int64)


class TokensInOrder(Reference):
    """the tokens are counted with the axes in the order {order}, the last one fastest"""

    order: tuple

    def places(self, grid):
        found = np.empty((len(grid), np.prod(grid)), np.int64)
        found[list(self.order)] = super().places([grid[axis] for axis in self.order])
        return found


class ColumnsFirst(TokensInOrder):
    """the tokens are counted column by column, not row by row"""

    order = (1, 0)


class QueriesNotMoved(Reference):
    """q_offset is not added to the queries' positions"""

    def query_places(self):
        return super().query_places() - self.q_offset


class SignFlipped(Reference):
    """the sign of the offset is flipped: key − query for query − key"""

    def offsets(self):
        return [-offset for offset in super().offsets()]


# LeViT


class Signed(LeViT):
    """the row is Δy · width + Δx, of signed offsets where |Δy| and |Δx| are needed"""

    def distance(self, offset):
        return offset


class SignedTable(LeViT):
    """the rows are those of a table of signed offsets, (2h − 1)(2w − 1), not of |Δy| and |Δx|"""

    def row_of(self, dy, dx):
        height, width = self.window
        return (dy + height - 1) * (2 * width - 1) + dx + width - 1


class StrideForgotten(LeViT):
    """the queries' positions are not multiplied by the stride"""

    def query_places(self):
        return self.places(self.q_size)


class StrideOfKeys(LeViT):
    """the keys' positions are multiplied by the stride too"""

    def key_places(self):
        return self.stride * super().key_places()


class AllQueries(LeViT):
    """every token is a query, whatever the stride"""

    def queries_of_window(self):
        return self.window

    def query_places(self):
        return self.places(self.q_size)


class FewerQueries(LeViT):
    """the queries' grid is ⌊size / stride⌋, expected ⌈size / stride⌉"""

    def queries_of_window(self):
        return tuple(size // self.stride for size in self.window)


class WidthIsHeight(LeViT):
    """a step down moves the row by the height, expected the width"""

    def width(self):
        return self.window[0]


class WidthDoubled(LeViT):
    """a step down moves the row by 2w − 1, expected w"""

    def width(self):
        return 2 * self.window[1] - 1


class WidthOfKeys(LeViT):
    """a step down moves the row by the width of the keys' grid, expected the window's"""

    def width(self):
        return self.k_size[1]


class DistancesAdded(LeViT):
    """the row is |Δy| + |Δx|, without the width"""

    def width(self):
        return 1


class DistancesSwapped(LeViT):
    """h and w are swapped: the row is |Δx| · h + |Δy|"""

    def row_of(self, dy, dx):
        return self.distance(dx) * self.window[0] + self.distance(dy)


# two rows


class SignFlippedOnAxes(Axes):
    __doc__ = SignFlipped.__doc__

    def axis_row(self, query, key, q, k, n):
        return super().axis_row(key, query, k, q, n)


class PlanesSwapped(Axes):
    """the index along the height and the one along the width are swapped"""

    def out(self):
        return super().out()[::-1]


class NotSpread(Axes):
    """the smaller side is not spread over the larger one: the row is y_q − y_k + k − 1"""

    def axis_row(self, query, key, q, k, n):
        return query - key + k - 1


class RoundedUp(Axes):
    """the row is rounded up, expected down"""

    def axis_row(self, query, key, q, k, n):
        return -(-(k * query - q * key + q * (k - 1)) * max(q, k) // (q * k))


class ShiftedByQueriesOnAxes(Axes):
    """the offset is shifted by the queries' side − 1, expected the keys' side − 1"""

    def axis_row(self, query, key, q, k, n):
        return (k * query - q * key + k * (q - 1)) * max(q, k) // (q * k)


class HaloForgotten(Axes):
    """the queries' positions are not moved by halo_size"""

    def query_places(self):
        return self.places(self.q_size)


class OwnCorners(Axes):
    """key − query, each from its own corner, as in timm's PosEmbedRel"""

    def axis_row(self, query, key, q, k, n):
        return key - (query - self.halo_size) + self.size(n) - 1


class ShiftedOnAxes(Axes):
    """the row is off by one: one too far"""

    shift = 1

    def axis_row(self, *place):
        return super().axis_row(*place) + self.shift


class ShiftedEarlyOnAxes(ShiftedOnAxes):
    """the row is off by one: one too early"""

    shift = -1


def in_orders(mistake, name, axes):
    """Return the mistake with each order of so many axes but the right one; name: the attribute."""
    _, *orders = permutations(range(axes))
    return [made(mistake, **{name: order}) for order in orders]


def made(mistake, **values):
    """Return the mistake with these attributes, which its text may name.

    Mistakes that may occur together have attributes of different names: two at once are one class.
    """
    return type(mistake.__name__, (mistake,), values | {"__doc__": mistake.__doc__.format(**values)})


def overflow(dtype):
    """Return the mistake of an index that is kept in a dtype too narrow for it."""
    return made(Overflow, dtype=dtype, largest=np.iinfo(dtype).max)
