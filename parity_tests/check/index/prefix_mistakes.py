"""Known bugs of an index with prefix tokens."""

import numpy as np

from .grid_mistakes import made
from .reference import Reference


class PrefixTokensLast(Reference):
    """the prefix tokens are taken for the last ones of the sequence, not for the first"""

    def out(self):
        return np.roll(super().out(), (-self.prefix, -self.prefix), (-2, -1))


class PrefixRowsFirst(Reference):
    """the rows of the prefix tokens are taken from the front of the table, not from its end"""

    def with_prefix(self, rows):
        whole = super().with_prefix(rows)
        if not self.prefix:
            return whole
        last = max(self.prefix_rows())
        return (whole + last + 1 - self.num_rows()) % (last + 1)


class PrefixLost(Reference):
    """the index has no rows and columns for the prefix tokens"""

    def with_prefix(self, rows):
        return rows


class OnePrefixToken(Reference):
    """there is one prefix token, whatever num_prefix_tokens says"""

    def with_prefix(self, rows):
        self.prefix = min(self.prefix, 1)
        return super().with_prefix(rows)


class PrefixReadsRow0(Reference):
    """pairs with a prefix token read row 0, which is an offset's"""

    def prefix_rows(self):
        return 0, 0, 0


class PrefixRowsLate(Reference):
    """the rows of the prefix tokens begin one too far"""

    def prefix_rows(self):
        return tuple(row + 1 for row in super().prefix_rows())


class PrefixRowsEarly(Reference):
    """the rows of the prefix tokens begin one too early, with the last offset's"""

    def prefix_rows(self):
        return tuple(row - 1 for row in super().prefix_rows())


class PrefixInSequence(Reference):
    """the prefix tokens are counted as the first ones of the sequence, without rows of their own"""

    def rows(self):
        queries, keys = (np.arange(self.prefix + size[0]) for size in (self.q_size, self.k_size))
        return self.row_of(queries[:, None] + self.q_offset - keys)

    def with_prefix(self, rows):
        return rows


class PrefixRowsSwapped(Reference):
    """the rows of prefix→token and token→prefix are swapped"""

    def prefix_rows(self):
        to_token, to_prefix, within = super().prefix_rows()
        return to_prefix, to_token, within


class OnePrefixRow(Reference):
    """all pairs with a prefix token read one row, expected three rows"""

    def prefix_rows(self):
        return (self.num_rows(),) * 3


class PrefixRowsInOrder(Reference):
    """prefix→token, token→prefix, prefix→prefix read {text}"""

    prefix_order: tuple

    def prefix_rows(self):
        return tuple(self.num_rows() + n for n in self.prefix_order)


class ManyPrefixRows(Reference):
    """prefix→token, token→prefix and prefix→prefix pairs read three rows, expected one"""

    def prefix_rows(self):
        return tuple(self.num_rows() + n for n in range(3))


class PrefixNotMasked(Reference):
    """causal: prefix→token pairs read the row of zeros, expected that of −∞ after it"""

    def prefix_rows(self):
        return (self.num_rows(),) * 3


class MaskedAlways(Reference):
    """prefix→token pairs read the row of −∞ without `causal` too"""

    def prefix_rows(self):
        rows = self.num_rows()
        return rows + 1, rows, rows


class MaskedRowFirst(Reference):
    """causal: the row of −∞ comes before the row of zeros, expected after it"""

    def prefix_rows(self):
        rows = self.num_rows()
        return rows, rows + self.causal, rows + self.causal


def in_order(order):
    """Return the mistake that prefix pairs read the three rows in this order."""
    text = ", ".join(f"R + {n}" for n in order)
    return made(PrefixRowsInOrder, prefix_order=order, text=text)
