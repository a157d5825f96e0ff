"""Read an index as a sum over axes: on which grid it counts tokens, with which strides and constant.

An index that was made by the usual code, with whatever mistake in it, is such a sum on some grid. What
is read is compared with the index entry by entry, so a reading is a fact and no guess.
"""

import math
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from .conventions import Linear, offsets_between, places_in


@dataclass(frozen=True)
class Reading:
    """The tokens are the first cells of `grid`; row = constant + Σ stride · offset there.

    fits: (L, L), the pairs for which that is the row.
    """

    grid: tuple[int, ...]
    strides: tuple[int, ...]
    constant: int
    fits: np.ndarray


def read(rows, window, distance):
    """Return the Reading that fits most pairs, or None if none fits more than half of them.

    distance: whether the rows depend on |offset|. Among equals the window's own grid is first.
    """
    readings = [read_on(grid, rows, distance) for grid in grids(rows, window, distance)]
    best = max(readings, key=lambda reading: reading.fits.sum())
    return best if 2 * best.fits.sum() > best.fits.size else None


def read_on(grid, rows, distance):
    """Return the Reading on this grid: the strides and the constant that most pairs have."""
    length = len(rows)
    places = places_in(grid)[:length]
    offsets = offsets_between(places)
    strides = []
    for axis in range(len(grid)):
        further = math.prod(grid[axis + 1 :])  # the token one place further along the axis
        last = places[: length - further, axis] + 1 < grid[axis] if further < length else []
        queries = np.flatnonzero(last)
        ahead = offsets[queries][..., axis] >= 0  # where |offset| grows too
        strides.append(most_common((rows[queries + further] - rows[queries])[ahead]))
    steps = Linear(tuple(strides), 0, 0, distance).rows(offsets)
    constant = most_common(rows - steps)
    return Reading(grid, tuple(strides), constant, rows == steps + constant)


def most_common(values):
    """Return the value that occurs most often, 0 if there is none."""
    found, counts = np.unique(values, return_counts=True)
    return found[counts.argmax()].item() if len(found) else 0


def grids(rows, window, distance):
    """Yield the grids that the tokens could be counted on: the window's, the one whose lengths show in
    the steps from key to key, and the window's with its axes in another order."""
    seen = []
    for grid in [window, grid_of_steps(rows, len(window), distance), *permutations(window)]:
        if grid not in seen:
            seen.append(grid)
            yield grid


def grid_of_steps(rows, axes, distance):
    """Return the grid whose rows and planes are as long as the index's steps from key to key say.

    Within a row of the grid the steps are equal, and another one leads to the next row.
    """
    queries = rows[:1] if distance else rows  # a distance grows from the first query on only
    steps = np.median(queries[:, :-1] - queries[:, 1:], axis=0)
    lengths = []
    while len(lengths) < axes - 1 and len(changes := np.flatnonzero(steps != steps[:1])):
        lengths.insert(0, int(changes[0]) + 1)
        steps = steps[changes[0] :: changes[0] + 1]
    lead = -(-len(rows) // math.prod(lengths))
    return (*(1,) * (axes - 1 - len(lengths)), lead, *lengths)
