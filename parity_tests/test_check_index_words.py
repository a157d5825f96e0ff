"""The report of `check_index`: its words, the pairs it shows, and the permutation it prints."""

from itertools import permutations

import numpy as np
import pytest

from .indices import (
    by_factors,
    checked,
    collapsed,
    column_major,
    height_for_width,
    made,
    no_factors,
    of_nnformer,
    opposite,
    other_axes,
    places,
    row_major,
    turned,
    with_prefix,
)

CUBE = (4, 4, 4)


def test_the_words_say_what_is_wrong():
    def text(index, window=(3, 5)):
        return checked(index, window).findings[0].text

    assert "(7, 7)" in text(made((7, 7))[:15, :15])
    assert "(9, 4)" in text(made((9, 4))[:15, :15])
    assert "(8, 8, 8)" in text(made((8, 8, 8))[:24, :24], (2, 3, 4))
    assert "(5, 3), expected (3, 5)" in text(made((5, 3)))
    assert "(4, 9)" in text(made((3, 5), lambda *offset: row_major(offset, (4, 9))))
    assert "axis 0 moves the row by 5, expected 9 (5 = 2 · 3 − 1" in text(height_for_width((3, 5)))
    assert "axis 0 moves the row by 1, expected 9 (the axis has no factor)" in text(no_factors((3, 5)))
    assert "axis 0 moves the row by 5, expected 35 (5 = 2 · 3 − 1" in text(
        collapsed((2, 3, 4)), (2, 3, 4)
    )
    assert "axis 0 moves the row by 11, expected 49 (11 = 3 · 4 − 1" in text(of_nnformer(CUBE), CUBE)
    order = made((2, 3, 4), tokens=[(a, b, c) for b in range(3) for a in range(2) for c in range(4)])
    assert "in the order 1, 0, 2, the last" in text(order, (2, 3, 4))
    assert "a sequence of 15 tokens" in text(made((15,)))
    assert "a sequence" not in text(made((15,)) + 1)
    assert "column by column" in text(column_major((3, 5)))
    assert "order 1, 0, expected 0, 1" in text(other_axes((3, 5)))
    assert "1 too high: the offsets along axis 1 are shifted by 5, expected 4" in text(made((3, 5)) + 1)
    assert "9 too low: the offsets along axis 0 are shifted by 1, expected 2" in text(made((3, 5)) - 9)
    assert "axis 0 are not shifted by 2" in text(made((3, 5)) - 18)
    assert "not shifted to begin at 0" in text(made((3, 5)) - 22)
    assert "shifted by the window's sizes" in text(made((3, 5)) + 10)


def test_the_pairs_show_it():
    """The examples of the page, to the word."""
    (sign,) = checked(opposite((3, 5)), (3, 5)).findings
    assert [str(p) for p in sign.pairs] == [
        "query 0 at (0, 0), key 1 at (0, 1), offset (0, -1): row 23, expected 21"
    ]
    strides = checked(no_factors((3, 5)), (3, 5)).findings[0]
    assert [(p.offset, p.found, p.expected) for p in strides.pairs] == [
        ((0, 0), 6, 22),
        ((1, 0), 7, 31),
    ]
    shared = checked(no_factors((3, 5)), (3, 5)).findings[1]
    assert shared.kind == "shared_rows"
    assert len({p.found for p in shared.pairs}) == 1
    assert len({p.offset for p in shared.pairs}) == 2


@pytest.mark.parametrize(
    ("window", "axis"),
    [((1, 3, 5), 1), ((1, 3, 5), 2), ((3, 1, 5), 0), ((3, 1, 5), 2), ((3, 5, 1), 0), ((3, 5, 1), 1)],
)
def test_an_axis_of_one_token_has_no_sign(window, axis):
    """No pair differs along it, so that its sign is neither wrong nor needed for "everywhere"."""
    (sign,) = checked(turned(window, axis), window).findings
    words = "the offset is key − query, expected query − key"
    assert sign.text == f"along axis {axis} {words}"
    sign, _shift, *_ = checked(opposite(window) + 1, window).findings
    assert (sign.kind, sign.text) == ("sign", words)


def in_order(window, order):
    """Return the index of a table with its axes in this order, and that of tokens numbered so."""
    lengths = [2 * window[axis] - 1 for axis in order]
    factors = [int(np.prod(lengths[order.index(axis) + 1 :])) for axis in range(len(window))]
    grid = places([window[axis] for axis in order])
    tokens = [tuple(place[order.index(axis)] for axis in range(len(window))) for place in grid]
    return by_factors(window, factors), made(window, tokens=tokens)


@pytest.mark.parametrize("window", [(4, 4), (3, 5), (3, 3, 5), (3, 5, 3), (3, 3, 3)])
def test_an_order_of_axes_is_told_with_the_order_of_tokens_that_gives_the_same_index(window):
    orders = list(permutations(range(len(window))))
    numbered = {order: in_order(window, order)[1] for order in orders}
    for order in orders[1:]:
        index, _ = in_order(window, order)
        expected = f"the table's axes are in the order {listed(order)}, expected {listed(orders[0])}"
        for same in (same for same, tokens in numbered.items() if (tokens == index).all()):
            expected += (
                f"; tokens numbered with the axes in the order {listed(same)} give the same index"
            )
        axes = checked(index, window).findings[0]
        assert (axes.kind, axes.text) == ("axes", expected)


def listed(order):
    return ", ".join(map(str, order))


@pytest.mark.parametrize(
    ("shape", "prefix", "expected", "hint"),
    [
        ((15, 15), 20, (35, 35), "; num_prefix_tokens=0 would fit"),
        ((15, 15), 15, (30, 30), "; num_prefix_tokens=0 would fit"),
        ((16, 16), 0, (15, 15), "; num_prefix_tokens=1 would fit; a window of (4, 4) would fit"),
        ((17, 17), 1, (16, 16), "; num_prefix_tokens=2 would fit; a window of (4, 4) would fit"),
        ((31, 31), 0, (15, 15), "; num_prefix_tokens=16 would fit"),
        ((32, 32), 0, (15, 15), ""),
        ((14, 14), 0, (15, 15), ""),
        ((15, 16), 0, (15, 15), ""),
        ((16, 15), 0, (15, 15), ""),
        ((16, 9), 0, (15, 15), ""),
        ((16, 16, 2), 0, (15, 15), ""),
        ((16,), 0, (15, 15), ""),
        ((), 0, (15, 15), ""),
        ((2, 15, 15), 0, (15, 15), "; the convention 'decomposed' has an index per axis"),
        ((3, 15, 15), 0, (15, 15), ""),
        ((2, 15, 15), 1, (16, 16), ""),
    ],
)
def test_another_shape_is_told_with_the_sizes_that_would_fit_it(shape, prefix, expected, hint):
    (finding,) = checked(np.zeros(shape, int), (3, 5), prefix).findings
    assert finding.text == f"the shape is {shape}, expected {expected}{hint}"


def test_the_decomposed_convention_takes_no_flat_index():
    (finding,) = checked(np.zeros(225, int), (3, 5), convention="decomposed").findings
    assert finding.text == "the shape is (225,), expected (2, 15, 15)"


@pytest.mark.parametrize(
    ("window", "prefix", "printed"),
    [
        ((4,), 0, "[6 5 4 3 2 1 0]"),
        ((3,), 1, "[4 3 2 1 0 5 6 7]"),
        ((5,), 0, "8 7 6 5 4 3 … 1 0 (9 rows)"),
        ((3, 5), 2, "44 43 42 41 40 39 … 46 47 (48 rows)"),
    ],
)
def test_a_long_permutation_is_printed_by_its_ends(window, prefix, printed):
    index = opposite(window)
    first = index.max() + 1
    index = with_prefix(index, (first, first + 1, first + 2), prefix) if prefix else index
    assert str(checked(index, window, prefix)).splitlines()[-1] == f"    permutation: {printed}"
