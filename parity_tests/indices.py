"""Indices made with plain loops for the tests of `check_index`: the right one, usual mistakes."""

from functools import reduce
from itertools import product

import numpy as np

from .check_index import check_index

WINDOWS = [(7,), (3, 5), (5, 3), (4, 4), (2, 9), (1, 5), (2, 3, 4), (4, 2, 3), (3, 3, 3)]
ONE_TOKEN = [(1,), (1, 1)]
PLANES = [window for window in WINDOWS if len(window) > 1 and min(window) > 1]
UNEQUAL = [window for window in PLANES if len(set(window)) == len(window)]


def places(window):
    return list(product(*map(range, window)))


def row_major(offset, window):
    """Return the row of an offset in the table of a window."""
    pairs = zip(offset, window, strict=True)
    return reduce(lambda row, pair: row * (2 * pair[1] - 1) + pair[0] + pair[1] - 1, pairs, 0)


def made(window, row=None, tokens=None):
    """Return the index of the tokens' places, all cells row-major unless given, under row(*offset)."""
    tokens = tokens or places(window)
    row = row or (lambda *offset: row_major(offset, window))
    return np.array([[row(*(q - k for q, k in zip(i, j, strict=True))) for j in tokens] for i in tokens])


def by_factors(window, factors):
    """Return the index whose offsets are shifted to begin at 0, multiplied with factors and added up."""

    def row(*offset):
        each = zip(offset, window, factors, strict=True)
        return sum((o + size - 1) * factor for o, size, factor in each)

    return made(window, row)


def with_prefix(index, rows, number=1):
    """Return the index with prefix tokens first; rows: prefix→token, token→prefix, prefix→prefix."""
    whole = np.pad(index, (number, 0))
    whole[:number, number:], whole[number:, :number], whole[:number, :number] = rows
    return whole


def right(window, prefix=0):
    index = made(window)
    first = index.max() + 1
    return with_prefix(index, (first, first + 1, first + 2), prefix) if prefix else index


def opposite(window):
    return made(window, lambda *offset: row_major([-o for o in offset], window))


def turned(window, axis):
    """Return the index with the opposite sign along one axis."""
    return made(
        window, lambda *offset: row_major([-o if n == axis else o for n, o in enumerate(offset)], window)
    )


def other_axes(window):
    """Return the index of a table with its axes in the reverse order."""
    return made(window, lambda *offset: row_major(offset[::-1], window[::-1]))


def column_major(window):
    return made(window, tokens=[place[::-1] for place in places(window[::-1])])


def on_another_grid(window):
    """Return the index whose tokens are the first cells of a wider grid, in the window's own table."""
    tokens = places((*window[:-1], window[-1] + 1))[: len(places(window))]
    return made(window, tokens=tokens)


def larger(window):
    return tuple(size + 2 for size in window)


def top_left(window):
    tokens = len(places(window))
    return made(larger(window))[:tokens, :tokens]


def in_larger_table(window):
    return made(window, lambda *offset: row_major(offset, larger(window)))


def collapsed(window):
    """Return the index whose axes have the factor of the next axis only."""
    return by_factors(window, [2 * size - 1 for size in window[1:]] + [1])


def of_nnformer(window):
    """Return the index of nnFormer and many that copied it, whose factors are for no window in 3-D."""
    return by_factors(window, (3 * window[1] - 1, 2 * window[1] - 1, 1))


def no_factors(window):
    return by_factors(window, [1] * len(window))


def height_for_width(window):
    """Return the index whose first axis has the factor of its own size."""
    rest = int(np.prod([2 * size - 1 for size in window[2:]]))
    factors = [(2 * window[0] - 1) * rest, rest]
    return by_factors(window, [*factors[: len(window) - 1], 1])


def last_doubled(window):
    """Return the index whose last axis has the factor 2."""
    factors = [
        int(np.prod([2 * size - 1 for size in window[axis + 1 :]])) for axis in range(len(window))
    ]
    return by_factors(window, [*factors[:-1], 2])


def of_sizes(window):
    """Return the index with the factor of an index of cells, Π size, in place of Π (2 · size − 1)."""
    return by_factors(window, [int(np.prod(window[axis + 1 :])) for axis in range(len(window))])


def checked(index, window, prefix=0, **options):
    """Return the report, after asking that whatever it shows is in the index, and wrong there."""
    report = check_index(index, window, prefix, **options)
    assert report.ok == (not report.findings)
    assert str(report).startswith(f"index {np.shape(index)}, window {window}")
    if options or report.kinds in (["shape"], ["dtype"]):
        return report
    expected, cells = right(window, prefix), [None] * prefix + places(window)
    assert report.ok == np.array_equal(index, expected)
    if "prefix_last" in report.kinds:
        index = np.roll(index, (prefix, prefix), (0, 1))
    whole = np.reshape(index, expected.shape)
    for pair in (pair for finding in report.findings for pair in finding.pairs):
        assert pair.found == whole[pair.query, pair.key]
        assert (pair.query_place, pair.key_place) == (cells[pair.query], cells[pair.key])
        if pair.offset is not None:
            places_of = zip(pair.query_place, pair.key_place, strict=True)
            assert pair.offset == tuple(q - k for q, k in places_of)
        if min(pair.query, pair.key) >= prefix:
            assert pair.expected == expected[pair.query, pair.key]
    if report.permutation is not None and report.recognised in ("swin", "maxvit", None):
        np.testing.assert_array_equal(report.permutation[expected], whole)
    for finding in report.findings:
        wrong = [pair for pair in finding.pairs if pair.found != pair.expected]
        if finding.kind == "strides":  # two queries a step from each other, with another step
            assert len({pair.found - pair.expected for pair in finding.pairs}) == 2
        assert wrong or finding.kind in ("prefix_last", "never_read", "dtype"), finding
    return report
