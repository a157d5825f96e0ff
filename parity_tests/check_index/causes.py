"""Say in words how an index was made, from its reading beside what it should have been."""

import math
from itertools import pairwise, permutations

from .conventions import mixed_radix, sum_of


def causes(reading, window, planes):
    """Return [(kind, text)], none if the reading is what it should be.

    planes(window, order): the expected `Linear`, for any window and order of the table's axes.
    """
    expected = planes(window)
    if reading.grid == window:
        strides = _of_strides(reading, window, planes)
        return strides or _of_constant(reading, window, expected)
    for order in permutations(range(len(window))):
        turned = tuple(window[axis] for axis in order)
        theirs = tuple(expected.strides[axis] for axis in order)
        if reading.grid == turned and _same(map(abs, reading.strides), map(abs, theirs), turned):
            how = f"with the axes in the order {_listed(order)}, the last one fastest"
            how = "column by column" if order == (1, 0) else how
            found = [("token_order", f"tokens are numbered {how}; expected is row-major")]
            found += _of_sign(reading, theirs, turned, order)
            return found + _of_constant(reading, turned, expected, order)
    return _of_another_window(reading, window, planes)


def _same(strides, others, grid):
    """Return whether the strides are equal along the axes that are longer than 1."""
    return all(a == b for a, b, size in zip(strides, others, grid, strict=True) if size > 1)


def opposite(expected):
    """Say that the sign of the offset is the opposite one; expected: the strides, or T5's buckets."""
    found, right = "key − query", "query − key"
    if max(expected) < 0:
        found, right = right, found
    return f"the offset is {found}, expected {right}"


def _of_sign(reading, expected, grid, order=None):
    """Say along which axes the sign is the opposite one; the strides differ in nothing else.

    order: the window's axis for each of the grid's.
    """
    axes = zip(order or range(len(grid)), reading.strides, expected, grid, strict=True)
    turned = sorted(axis for axis, s, e, size in axes if size > 1 and s != e)
    if not turned:
        return []
    everywhere = len(turned) == sum(size > 1 for size in grid)
    where = "" if everywhere else f"along axis {' and '.join(map(str, turned))} "
    return [("sign", where + opposite(expected))]


def _of_strides(reading, window, planes):
    """Say what is wrong with the strides, and with the constant where it is not part of that."""
    strides, expected = reading.strides, planes(window)
    if _same(map(abs, strides), map(abs, expected.strides), window):
        found = _of_sign(reading, expected.strides, window)
        return found and found + _of_constant(reading, window, expected)
    for order in permutations(range(len(window))):
        theirs = planes(window, order)
        if _same(map(abs, strides), map(abs, theirs.strides), window):
            found = [("axes", _order(order, window)), *_of_sign(reading, theirs.strides, window)]
            return found + _of_constant(reading, window, theirs)
    if (larger := table_of(reading)) and _covers(larger, window):
        return [("larger_table", f"the rows are those of the table of a window of {larger}")]
    text = "; ".join(_steps(strides, expected.strides, window))
    if reading.strides == mixed_radix(window) and reading.constant == math.prod(window) - 1:
        text += f"; it is the index of a sequence of {math.prod(window)} tokens"
    return [("strides", text), *_of_constant(reading, window, expected)]


def _order(order, window):
    text = f"the table's axes are in the order {_listed(order)}, expected {_listed(range(len(order)))}"
    if tuple(window[axis] for axis in order) == window:  # then the tokens' grid is the window's, too
        inverse = map(order.index, range(len(order)))
        text += f"; tokens numbered with the axes in the order {_listed(inverse)} give the same index"
    return text


def _listed(axes):
    return ", ".join(map(str, axes))


def _steps(strides, expected, window):
    """Say for each axis how far a step along it moves the row, and where such a factor is from."""
    for axis, (stride, right, size) in enumerate(zip(strides, expected, window, strict=True)):
        if size > 1 and stride != right:
            text = f"a step along axis {axis} moves the row by {stride}, expected {right}"
            if abs(stride) == 1 < abs(right):
                text += " (the axis has no factor)"
            elif abs(right) > 1:
                text += _factor(abs(stride), window)
            yield text


def _factor(stride, window):
    """Say from which axis's size a factor is, if it looks like one; the later axes count first."""
    for factor, less in ((2, 1), (3, 1), (2, 0), (1, 0)):
        for axis in reversed(range(len(window))):
            if factor * window[axis] - less == stride:
                if factor == 1:
                    return f" ({stride} is the size of axis {axis})"
                form = f"{factor} · {window[axis]}{' − 1' if less else ''}"
                return f" ({stride} = {form}, from the size of axis {axis})"
    return ""


def _of_constant(reading, grid, expected, order=None):
    """Say how much too high or low all rows are, and which shift of an axis explains it.

    order: the window's axis for each of the grid's.
    """
    strides = [abs(stride) for stride in reading.strides]
    difference = reading.constant - (0 if expected.distance else sum_of(strides, grid))
    if not difference:
        return []
    lead = next((axis for axis, size in enumerate(grid) if size > 1), 0)
    larger = table_of(reading)
    if larger and _covers(larger, grid) and difference != strides[lead]:
        return [("larger_table", f"the rows are those of the table of a window of {larger}")]
    text = f"all rows are {abs(difference)} too {'high' if difference > 0 else 'low'}"
    return [("shift", text + _shift(difference, strides, grid, order or range(len(grid))))]


def _shift(difference, strides, grid, names):
    """Say which shift of the offsets gives such a difference; names: of the grid's axes."""
    parts = [stride * (size - 1) for stride, size in zip(strides, grid, strict=True)]
    if difference == -sum(parts):
        return ": the offsets are not shifted to begin at 0"
    if -difference in parts:
        axis = parts.index(-difference)
        return f": the offsets along axis {names[axis]} are not shifted by {grid[axis] - 1}"
    if abs(difference) in strides:
        axis = len(strides) - 1 - strides[::-1].index(abs(difference))
        shift, right = grid[axis] - 1 + (1 if difference > 0 else -1), grid[axis] - 1
        return f": the offsets along axis {names[axis]} are shifted by {shift}, expected {right}"
    if difference == sum(strides):
        return ": the offsets are shifted by the window's sizes, expected one less"
    return ""


def _of_another_window(reading, window, planes):
    """Say whose index it is; its tokens are counted on a grid that is not the window's."""
    tokens, theirs, grid = math.prod(window), table_of(reading), reading.grid
    lead = next(axis for axis, size in enumerate(grid) if size > 1)  # the tokens end within this axis
    if theirs and theirs[lead + 1 :] == grid[lead + 1 :] and theirs[lead] >= grid[lead]:
        sign = _of_sign(reading, planes(theirs).strides, grid)
        if math.prod(theirs) == tokens:
            return [("window", f"it is the index of a window of {theirs}, expected {window}"), *sign]
        whole = f"a window {'such as' if lead else 'of'} {theirs}"
        text = f"it is the first {tokens} rows and columns of the index of {whole}, where the "
        return [("slice", text + f"first {tokens} tokens are not a window of {window}"), *sign]
    text = f"tokens are counted on a grid of {reading.grid}, expected {window}; "
    return [("grid", text + f"a step along its axes moves the row by {reading.strides}")]


def _covers(larger, window):
    return all(a >= b for a, b in zip(larger, window, strict=True))


def table_of(reading):
    """Return the window whose table has a row per offset with these strides and constant, or None.

    Σ stride · (size − 1) = (R − 1) / 2 for R = Π (2 · size − 1) rows, and a stride is the product of the
    factors after it. Axes before the first one that shows in the reading are as equal as they can be.
    """
    strides = [abs(stride) for stride in reading.strides]
    shown = next((axis for axis, stride in enumerate(strides) if stride), len(strides))
    if reading.constant <= 0 or not all(strides[shown:]) or strides[-1] != 1:
        return None
    table = [2 * reading.constant + 1, *strides[shown:]]  # rows that one step of each axis stands for
    if any(a % b for a, b in pairwise(table)):
        return None
    factors = [a // b for a, b in pairwise(table)]
    hidden = round(factors[0] ** (1 / (shown + 1)))
    if hidden ** (shown + 1) == factors[0]:
        factors = [hidden] * (shown + 1) + factors[1:]
    else:
        factors = [1] * shown + factors
    if not all(factor % 2 for factor in factors):
        return None
    return tuple((factor + 1) // 2 for factor in factors)
