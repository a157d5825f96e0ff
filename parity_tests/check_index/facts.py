"""What is wrong with an index whatever its cause: rows shared, split, out of range or never read."""

import numpy as np

from .conventions import PREFIX_STYLES
from .report import Finding


def out_of_range(found, expected, num_rows, tokens):
    """Return a Finding of the entries outside the table, or none."""
    outside = (found < 0) | (found >= num_rows)
    if not outside.any():
        return []
    low, high = int(found[outside].min()), int(found[outside].max())
    text = f"{count(outside, 'entry')} outside the table's rows 0 to {num_rows - 1}: "
    text += f"from {low} to {high}" if low != high else f"{low}"
    if max(-low, high) > 1000 * num_rows:
        text += ", as in memory that was not initialised"
    return [Finding("out_of_range", text, (tokens.first(outside, found, expected),))]


def shared_rows(found, expected, tokens):
    """Return a Finding of the rows that pairs with different expected rows read, or none."""
    rows, place = np.unique(found, return_inverse=True)
    place = place.reshape(found.shape)
    low, high = _extremes(expected, place, len(rows))
    shared = low != high
    if not shared.any():
        return []
    text = f"{count(shared, 'row')} read by pairs that should read different rows"
    one = tokens.first(shared[place] & (expected == low[place]), found, expected)
    here = place == place[one.query, one.key]
    other = tokens.first(here & (expected != one.expected), found, expected)
    return [Finding("shared_rows", text, (one, other))]


def split_offsets(found, expected, tokens):
    """Return a Finding of the expected rows whose pairs read several rows, or none."""
    rows, place = np.unique(expected, return_inverse=True)
    place = place.reshape(found.shape)
    low, high = _extremes(found, place, len(rows))
    split = low != high
    if not split.any():
        return []
    text = f"pairs that should share a row do not, for {split.sum()} of {len(rows)} rows"
    one = tokens.first(split[place] & (found == low[place]), found, expected)
    here = place == place[one.query, one.key]
    other = tokens.first(here & (found != one.found), found, expected)
    return [Finding("split_offsets", text, (one, other))]


def never_read(found, num_rows, expected):
    """Return a Finding of the rows that the right index reads and this one does not, or none."""
    unread = np.setdiff1d(expected, found)
    if not len(unread):
        return []
    some = ", ".join(map(str, unread[:4])) + (", …" if len(unread) > 4 else "")
    return [Finding("never_read", f"{len(unread)} of {num_rows} rows: {some}")]


def _extremes(values, place, groups):
    """Return the lowest and the highest value of each group; place: the group of each value."""
    low = np.full(groups, np.iinfo(np.int64).max)
    high = np.full(groups, np.iinfo(np.int64).min)
    np.minimum.at(low, place.ravel(), values.ravel())
    np.maximum.at(high, place.ravel(), values.ravel())
    return low, high


def renaming(found, expected, num_rows):
    """Return the row found for each row expected, (num_rows,), or None.

    None: an expected row has several, or no pair should read it.
    """
    rows, first, place = np.unique(expected, return_index=True, return_inverse=True)
    theirs = found.ravel()[first]
    if len(rows) < num_rows or (theirs[place].reshape(found.shape) != found).any():
        return None
    return theirs


def count(where, noun):
    n = int(np.sum(where))
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{n} {noun} is" if n == 1 else f"{n} {plural} are"


def prefix_blocks(index, num_prefix_tokens):
    """Return the blocks prefix→token, token→prefix and prefix→prefix (query→key)."""
    p = num_prefix_tokens
    return index[:p, p:], index[p:, :p], index[:p, :p]


def prefix_is_last(index, num_prefix_tokens):
    """Return whether pairs with the last tokens read the same rows everywhere, as prefix pairs do."""
    p = num_prefix_tokens
    return not _uniform(index, p) and _uniform(np.roll(index, (p, p), (0, 1)), p)


def _uniform(index, num_prefix_tokens):
    return all((block == block.flat[0]).all() for block in prefix_blocks(index, num_prefix_tokens))


def prefix_rows(index, num_prefix_tokens, num_offsets):
    """Return the rows of the style whose blocks are equal to each other as they are in the index.

    The first style, if none is, or if other pairs read these rows too.
    """
    p = num_prefix_tokens
    a, b, c = rows = [block.flat[0] for block in prefix_blocks(index, p)]
    apart = _uniform(index, p) and not np.isin(rows, index[p:, p:]).any()
    equal = a == b, b == c, a == c
    fitting = [(x, y, z) for x, y, z in PREFIX_STYLES if equal == (x == y, y == z, x == z)]
    style = fitting[0] if apart and fitting else PREFIX_STYLES[0]
    return tuple(num_offsets + n for n in style)


def with_prefix(rows, num_prefix_tokens, prefix_rows):
    """Return the whole index (L, L); prefix_rows: of `prefix_rows`."""
    whole = np.pad(rows, (num_prefix_tokens, 0))
    for block, row in zip(prefix_blocks(whole, num_prefix_tokens), prefix_rows, strict=True):
        block[...] = row
    return whole


def prefix_is_transposed(found, expected, num_prefix_tokens):
    """Return whether the prefix pairs read the right rows only in the transposed index."""
    right = prefix_blocks(expected, num_prefix_tokens)

    def fits(index):
        blocks = prefix_blocks(index, num_prefix_tokens)
        return all((a == b).all() for a, b in zip(blocks, right, strict=True))

    return fits(found.T) and not fits(found)


def wrong_prefix(found, expected, tokens):
    """Return a Finding of the prefix pairs that do not read their row, or none."""
    p = tokens.num_prefix_tokens
    of_prefix = np.ones(found.shape, bool)
    of_prefix[p:, p:] = False
    wrong = of_prefix & (found != expected)
    if not wrong.any():
        return []
    names = ("prefix→token", "token→prefix", "prefix→prefix")
    theirs, right = prefix_blocks(found, p), prefix_blocks(expected, p)
    text = "; ".join(
        f"{name} reads {_rows(a)}, expected {b.flat[0]}"
        for name, a, b in zip(names, theirs, right, strict=True)
        if (a != b).any()
    )
    if len(np.unique((found - expected)[of_prefix])) == 1:
        text = f"the rows of prefix pairs begin at {found[of_prefix].min()}, expected "
        text += f"{expected[of_prefix].min()}"
    elif set(found[of_prefix]) == set(expected[of_prefix]):
        text += ": the same rows in another order"
    return [Finding("prefix_rows", text, (tokens.first(wrong, found, expected),))]


def _rows(block):
    rows = np.unique(block)
    return f"row {rows[0]}" if len(rows) == 1 else f"{len(rows)} rows from {rows[0]} to {rows[-1]}"
