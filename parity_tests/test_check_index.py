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


@pytest.mark.parametrize("window", ONE_TOKEN)
def test_one_token_has_one_row(window):
    report = checked([[5]], window)
    assert report.kinds == ["shift", "out_of_range", "never_read"]
    assert checked(np.array([[-1]]), window).kinds[0] == "shift"


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
