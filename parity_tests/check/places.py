"""Where an element of a result is: its batch, head, query and key, and the offset query − key."""

import numpy as np

PREFIX_ROWS = ("prefix→token", "token→prefix", "prefix→prefix")


def in_words(axes, place, grids=None):
    """Return "batch 0, head 1, query 17 (2, 3)": the axes' names with an element's indices.

    axes: names of the axes, the last ones where a result has fewer. place: indices. grids: `Grids` that
    the tokens lie on, or None. With them a token gets its position, a row of the table its offset, and a
    query with a key the offset of both.
    """
    at = dict(zip(axes[len(axes) - len(place) :], place, strict=True)) if axes else {}
    words = [f"{axis} {index}{_on_grid(axis, index, grids)}" for axis, index in at.items()]
    if grids is not None and {"query", "key"} <= at.keys():
        query, key = (_position(at[axis], grids, axis) for axis in ("query", "key"))
        if query and key and len(query) == len(key):
            words.append(f"offset {_tuple(q - k for q, k in zip(query, key, strict=True))}")
    return ", ".join(words)


def _on_grid(axis, index, grids):
    if grids is None:
        return ""
    if axis in ("query", "key"):
        position = _position(index, grids, axis)
        return f" {_tuple(position)}" if position else " (prefix)"
    return f" ({_row(index, grids)})" if axis == "row" else ""


def _position(token, grids, axis):
    """Return a token's place on its grid, None for a prefix token."""
    if token < grids.prefix:
        return None
    grid = grids.queries if axis == "query" else grids.keys
    return tuple(int(at) for at in np.unravel_index(token - grids.prefix, grid))


def _row(row, grids):
    """Return the offset, or the pairs of prefix tokens, that read a row of the table."""
    counts = [q + k - 1 for q, k in zip(grids.queries, grids.keys, strict=True)]
    if row >= np.prod(counts):
        return PREFIX_ROWS[row - int(np.prod(counts))]
    offset = np.unravel_index(row, counts)
    return f"offset {_tuple(int(o) - k + 1 for o, k in zip(offset, grids.keys, strict=True))}"


def _tuple(numbers):
    numbers = [str(n).replace("-", "−") for n in numbers]
    return f"({', '.join(numbers)}{',' if len(numbers) == 1 else ''})"
