"""`check_index` names each of several faults in one index."""

import numpy as np
import pytest

from .indices import (
    PLANES,
    UNEQUAL,
    checked,
    column_major,
    made,
    no_factors,
    opposite,
    other_axes,
    places,
    right,
    row_major,
    top_left,
    turned,
    with_prefix,
)

CUBE = (4, 4, 4)


@pytest.mark.parametrize("window", PLANES)
def test_several_faults_are_all_named(window):
    def kinds(index, prefix=0):
        return set(checked(index, window, prefix).kinds)

    assert {"sign", "shift"} <= kinds(opposite(window) + 1)
    assert {"strides", "shift"} <= kinds(no_factors(window) - 1)
    assert {"axes", "sign"} <= kinds(other_axes(window)[::-1, ::-1])
    dirty = other_axes(window)
    dirty[1, 0] = 10**9
    assert {"axes", "entries", "out_of_range"} <= kinds(dirty)
    assert {"slice", "sign"} <= kinds(top_left(window).T)
    dirty = right(window, 1).T.copy()
    dirty[2, 3] = -5
    assert {"transposed", "entries", "out_of_range"} <= kinds(dirty, 1)
    assert "prefix_rows" not in kinds(dirty, 1)
    entries = next(f for f in checked(dirty, window, 1).findings if f.kind == "entries")
    assert [(pair.query, pair.key) for pair in entries.pairs] == [(2, 3)]
    dirty = with_prefix(opposite(window), [right(window).max() + 1] * 3)
    dirty[2, 3] = -5
    assert {"sign", "entries"} <= kinds(dirty, 1)
    first = right(window).max() + 1
    assert kinds(with_prefix(turned(window, 0), (first + 1, first, first + 2)), 1) == {
        "sign",
        "prefix_rows",
    }


@pytest.mark.parametrize("window", UNEQUAL)
def test_column_major_tokens_with_other_faults_are_all_named(window):
    assert checked(column_major(window).T, window).kinds[:2] == ["token_order", "sign"]
    _, shift, *_ = checked(column_major(window) + 1, window).findings
    axis = len(window) - 1
    assert f"along axis {axis} are shifted by {window[axis]}, expected" in shift.text
    signs = made(window, lambda *o: row_major((-o[0], *o[1:]), window))
    columns = [places(window).index(place[::-1]) for place in places(window[::-1])]
    _, sign, *_ = checked(signs[np.ix_(columns, columns)], window).findings
    assert sign.text.startswith("along axis 0 the offset is key − query")


def test_the_signs_of_two_axes_are_named():
    index = made(CUBE, lambda a, b, c: row_major((-a, b, -c), CUBE))
    (sign,) = checked(index, CUBE).findings
    assert sign.text.startswith("along axis 0 and 2 the offset is key − query")


def test_a_slice_with_the_opposite_sign_along_one_axis_names_it():
    found = turned((5, 5), 1)[:12, :12]
    texts = {finding.kind: finding.text for finding in checked(found, (3, 4)).findings}
    assert "slice" in texts
    assert "along axis 1 the offset is key − query" in texts["sign"]
