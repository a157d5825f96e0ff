"""`check_index` names every fault; each is planted by making a wrong index with plain loops."""

import numpy as np
import pytest

from .check_index import check_index
from .indices import (
    ONE_TOKEN,
    PLANES,
    UNEQUAL,
    WINDOWS,
    by_factors,
    checked,
    collapsed,
    column_major,
    height_for_width,
    in_larger_table,
    last_doubled,
    made,
    no_factors,
    of_nnformer,
    of_sizes,
    on_another_grid,
    opposite,
    other_axes,
    places,
    right,
    row_major,
    top_left,
    turned,
    with_prefix,
)


@pytest.mark.parametrize("prefix", [0, 1, 3])
@pytest.mark.parametrize("window", WINDOWS + ONE_TOKEN)
def test_the_right_index_is_right(window, prefix):
    index = right(window, prefix)
    for dtype in ("int16", "uint16", "int32", "int64", "uint64", ">i4"):
        report = checked(index.astype(dtype), window, prefix)
        assert report.ok
        assert report.recognised == "swin"
        np.testing.assert_array_equal(report.permutation, np.arange(index.max() + 1))
    assert check_index(index.tolist(), window, prefix).ok
    assert check_index(index.ravel(), window, prefix).ok


CUBE = (4, 4, 4)
VOLUMES = [window for window in WINDOWS if len(window) == 3]
FAULTS = [
    ("sign", opposite, WINDOWS),
    ("axes", other_axes, PLANES),
    ("window", lambda window: made(window[::-1]), UNEQUAL),
    ("token_order", column_major, UNEQUAL),
    ("axes", column_major, [(4, 4), (3, 3, 3)]),
    ("slice", top_left, PLANES),
    ("grid", on_another_grid, PLANES),
    ("larger_table", in_larger_table, WINDOWS),
    ("strides", collapsed, VOLUMES),
    ("strides", of_nnformer, VOLUMES),
    ("strides", no_factors, PLANES),
    ("strides", height_for_width, UNEQUAL),
    ("strides", of_sizes, PLANES),
    ("strides", last_doubled, WINDOWS),
    ("strides", lambda window: 0 * made(window), WINDOWS[:5]),
    ("strides", lambda window: by_factors(window, [3] * len(window)), WINDOWS),
    ("distance", lambda window: made(window, lambda *o: row_major(map(abs, o), window)), WINDOWS),
    ("shift", lambda window: made(window) + 1, WINDOWS),
    ("shift", lambda window: made(window) - 1, WINDOWS),
    ("shift", lambda window: made(window) - made(window)[0, 0], WINDOWS),
]


@pytest.mark.parametrize(
    ("kind", "fault", "window"), [(k, f, w) for k, f, windows in FAULTS for w in windows], ids=str
)
def test_a_fault_is_named(kind, fault, window):
    """The fault is the first finding, with and without prefix tokens."""
    index = fault(window)
    report = checked(index, window)
    assert report.kinds[0] == kind
    assert report.findings[0].pairs
    assert not {"entries", "unexplained"} & set(report.kinds)
    assert kind == "shift" or "shift" not in report.kinds
    first = right(window).max() + 1
    report = checked(with_prefix(index, (first, first + 1, first + 2)), window, 1)
    assert report.kinds[0] == kind
    assert "prefix_rows" not in report.kinds


@pytest.mark.parametrize(("window", "axis"), [(w, a) for w in PLANES for a in range(len(w))])
def test_the_sign_of_one_axis_is_named(window, axis):
    report = checked(turned(window, axis), window)
    assert report.kinds == ["sign"]
    assert report.findings[0].text.startswith(f"along axis {axis} the offset is key − query")
    assert report.permutation is not None


@pytest.mark.parametrize("window", WINDOWS)
def test_a_transposed_index_is_told_from_the_opposite_sign_by_its_prefix_rows(window):
    (transposed,) = checked(right(window, 2).T, window, 2).findings
    assert transposed.kind == "transposed"
    assert transposed.pairs[0].offset is not None  # shown by tokens of the window, not by prefix tokens
    report = checked(right(window).T, window)
    assert report.kinds == ["sign"]
    assert report.recognised == "maxvit"


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


@pytest.mark.parametrize("window", WINDOWS)
def test_a_renaming_of_rows_is_recognised(window):
    index = right(window, 1)
    names = np.random.default_rng(0).permutation(index.max() + 1)
    while (names == np.arange(len(names))).all():
        names = names[::-1]
    report = checked(names[index], window, 1)
    assert set(report.kinds) <= {"renamed", "prefix_rows"}
    np.testing.assert_array_equal(report.permutation, names)
    inverse = np.argsort(report.permutation)
    np.testing.assert_array_equal(inverse[names[index]], index)


@pytest.mark.parametrize("prefix", [1, 2])
@pytest.mark.parametrize("window", WINDOWS)
def test_prefix_rows_in_another_order_are_named(window, prefix):
    index = made(window)
    first = index.max() + 1
    for order in [(0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]:
        rows = [first + n for n in order]
        report = checked(with_prefix(index, rows, prefix), window, prefix)
        assert report.kinds == ["prefix_rows"]
        assert "the same rows in another order" in report.findings[0].text
        assert report.permutation[-3:].tolist() == rows
    report = checked(with_prefix(index, (first + 7, first + 8, first + 9), prefix), window, prefix)
    assert report.kinds == ["prefix_rows", "out_of_range", "never_read"]
    assert report.findings[0].text.endswith(f"begin at {first + 7}, expected {first}")
    report = checked(with_prefix(index, (0, 0, 0), prefix), window, prefix)
    assert report.kinds[0] == "prefix_rows"
    assert f"token→prefix reads row 0, expected {first + 1}" in report.findings[0].text
    assert "shared_rows" in report.kinds
    assert report.permutation is None


@pytest.mark.parametrize("prefix", [1, 2])
@pytest.mark.parametrize("window", [window for window in WINDOWS if window != (1, 5)])
def test_prefix_tokens_at_the_end_are_named(window, prefix):
    index = np.roll(right(window, prefix), (-prefix, -prefix), (0, 1))
    report = checked(index, window, prefix)
    assert report.kinds == ["prefix_last"]
    assert report.permutation is None
    first = made(window).max() + 1
    signed = with_prefix(opposite(window), (first, first + 1, first + 2), prefix)
    report = checked(np.roll(signed, (-prefix, -prefix), (0, 1)), window, prefix)
    assert report.kinds == ["prefix_last", "sign"]
    assert report.permutation is None


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("entry", [-1, -(2**40), 2**62])
def test_an_entry_out_of_range_is_named(window, entry):
    index = right(window)
    index[0, -1] = entry
    report = checked(index, window)
    assert report.kinds[:2] == ["entries", "out_of_range"]
    pair = report.findings[1].pairs[0]
    assert (pair.query, pair.key, pair.found) == (0, len(index) - 1, entry)
    assert ("not initialised" in report.findings[1].text) == (abs(entry) > 1)


@pytest.mark.parametrize("window", WINDOWS)
def test_an_index_that_is_off_by_one_leaves_the_table_by_one_row(window):
    index = right(window)
    for by, outside, unread in ((1, index.max() + 1, 0), (-1, -1, index.max())):
        report = checked(index + by, window)
        assert report.kinds == ["shift", "out_of_range", "never_read"]
        assert report.findings[1].pairs[0].found == outside
        assert report.findings[2].text.endswith(f" rows: {unread}")
        assert report.permutation is None


@pytest.mark.parametrize("window", PLANES)
def test_shared_split_and_unread_rows_are_named(window):
    index = right(window)
    merged = np.where(index == 0, 1, index)
    assert checked(merged, window).kinds == ["entries", "shared_rows", "never_read"]
    split = index.copy()
    split[0, 0] = 1
    report = checked(split, window)
    assert report.kinds == ["entries", "split_offsets", "shared_rows"]
    assert {pair.found for pair in report.findings[1].pairs} == {1, index[0, 0]}


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


@pytest.mark.parametrize("window", ONE_TOKEN)
def test_one_token_has_one_row(window):
    report = checked([[5]], window)
    assert report.kinds == ["shift", "out_of_range", "never_read"]
    assert checked(np.array([[-1]]), window).kinds[0] == "shift"


def test_a_slice_with_the_opposite_sign_along_one_axis_names_it():
    found = turned((5, 5), 1)[:12, :12]
    texts = {finding.kind: finding.text for finding in checked(found, (3, 4)).findings}
    assert "slice" in texts
    assert "along axis 1 the offset is key − query" in texts["sign"]


def test_random_rows_are_unexplained():
    index = np.random.default_rng(0).integers(0, 45, (15, 15))
    report = checked(index, (3, 5))
    assert report.kinds[0] == "unexplained"
    assert report.permutation is None


@pytest.mark.parametrize("window", [(1,), (1, 1), (1, 1, 1)])
def test_a_window_of_one_token_may_be_wrong(window):
    """Its only row must be 0; no axis has a step that could explain anything."""
    assert check_index([[0]], window).ok
    assert "all rows are 4 too high" in str(check_index([[4]], window))
    assert check_index(np.full((3, 3), 5), window, 2).findings


@pytest.mark.filterwarnings("error")
def test_extreme_rows_and_narrow_floats_overflow_nothing():
    index = right((3, 5))
    assert checked(np.where(index == 3, -(2**63), index), (3, 5)).kinds[:2] == [
        "entries",
        "out_of_range",
    ]
    assert checked(index.astype(np.float16), (3, 5)).kinds == ["dtype"]


def test_only_the_right_index_is_right():
    """400 indices with a few random changes; some changes make the right index again."""
    rng = np.random.default_rng(0)
    for _ in range(400):
        window = WINDOWS[rng.integers(len(WINDOWS))]
        prefix = int(rng.integers(3))
        index = right(window, prefix)
        for _ in range(rng.integers(3)):
            index[tuple(rng.integers(len(index), size=2))] = rng.integers(-2, index.max() + 3)
        checked(index, window, prefix)
