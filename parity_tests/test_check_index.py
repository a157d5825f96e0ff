"""`check_index` names every fault; each is planted by making a wrong index with plain loops."""

from functools import reduce
from itertools import product

import numpy as np
import pytest

import numpy_ref

from .both import TWINS, array
from .check_index import CONVENTIONS, check_index
from .process import python

WINDOWS = [(7,), (3, 5), (5, 3), (4, 4), (2, 9), (1, 5), (2, 3, 4), (4, 2, 3), (3, 3, 3)]
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
        assert wrong or finding.kind in ("prefix_last", "never_read", "dtype"), finding
    return report


@pytest.mark.parametrize("prefix", [0, 1, 3])
@pytest.mark.parametrize("window", WINDOWS)
def test_the_right_index_is_right(window, prefix):
    index = right(window, prefix)
    for dtype in ("int16", "uint16", "int32", "int64", "uint64", ">i4"):
        report = checked(index.astype(dtype), window, prefix)
        assert report.ok
        assert report.recognised == "swin"
        np.testing.assert_array_equal(report.permutation, np.arange(index.max() + 1))
    assert check_index(index.tolist(), window, prefix).ok
    assert check_index(index.ravel(), window, prefix).ok


# Of other schemes the rows depend on more than the offset, or on options.
OTHERS = {"custom", "fire", "irpe", "irpe_bias", "shaw", "sum", "transformer_xl"}
MEANT = {
    "levit": "levit",
    "t5": "t5",
    "gated_t5": "t5",
    "decomposed": "decomposed",
    "halo": "decomposed",
}
AXES = {"1d": 1, "3d": 3} | dict.fromkeys(("t5", "gated_t5", "alibi", "kerple", "sandwich"), 1)


@TWINS
@pytest.mark.parametrize("prefix", [0, 2])
@pytest.mark.parametrize("name", sorted(numpy_ref.SCHEMES.keys() - OTHERS))
def test_the_index_of_every_scheme_with_a_row_per_offset_is_right(twin, name, prefix):
    window = (40,) if name == "dynamic_1d" else {1: (40,), 2: (3, 5), 3: (2, 3, 4)}[AXES.get(name, 2)]
    options = {"head_dim": 4} if "head_dim" in numpy_ref.scheme_options(name) else {}
    scheme = twin.RelativePositionBias(2, window, name, num_prefix_tokens=prefix, **options)
    convention = MEANT.get(name, "swin")
    assert check_index(array(scheme.index), window, prefix, convention).ok
    assert check_index(scheme.index, window, prefix, convention).recognised == convention


@pytest.mark.parametrize("prefix", [0, 1])
@pytest.mark.parametrize("window", WINDOWS)
def test_a_causal_schemes_prefix_rows_are_right(window, prefix):
    index = made(window)
    first = index.max() + 1
    assert checked_prefix(index, (first + 1, first, first)).ok
    assert checked_prefix(index, (first, first, first)).ok


def checked_prefix(index, rows, number=2):
    """Check an index of any window with these prefix rows."""
    window = next(window for window in WINDOWS if np.array_equal(made(window), index))
    return check_index(with_prefix(index, rows, number), window, number)


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


def of_sizes(window):
    """Return the index with the factor of an index of cells, Π size, in place of Π (2 · size − 1)."""
    return by_factors(window, [int(np.prod(window[axis + 1 :])) for axis in range(len(window))])


CUBE = (4, 4, 4)
VOLUMES = [window for window in WINDOWS if len(window) == 3]
FAULTS = [
    ("sign", opposite, WINDOWS),
    ("axes", other_axes, PLANES),
    ("window", lambda window: made(window[::-1]), UNEQUAL),
    ("token_order", column_major, UNEQUAL),
    ("axes", column_major, [(4, 4), (3, 3, 3)]),
    ("slice", top_left, PLANES),
    ("larger_table", in_larger_table, WINDOWS),
    ("strides", collapsed, VOLUMES),
    ("strides", of_nnformer, VOLUMES),
    ("strides", no_factors, PLANES),
    ("strides", height_for_width, UNEQUAL),
    ("strides", of_sizes, PLANES),
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
    assert not {"entries", "grid", "unexplained"} & set(report.kinds)
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
    assert checked(right(window, 2).T, window, 2).kinds == ["transposed"]
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
    report = checked(with_prefix(index, (0, 0, 0), prefix), window, prefix)
    assert report.kinds[0] == "prefix_rows"
    assert "shared_rows" in report.kinds
    assert report.permutation is None


@pytest.mark.parametrize("prefix", [1, 2])
@pytest.mark.parametrize("window", [window for window in WINDOWS if window != (1, 5)])
def test_prefix_tokens_at_the_end_are_named(window, prefix):
    index = np.roll(right(window, prefix), (-prefix, -prefix), (0, 1))
    assert checked(index, window, prefix).kinds == ["prefix_last"]
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
    first = right(window).max() + 1
    assert kinds(with_prefix(turned(window, 0), (first + 1, first, first + 2)), 1) == {
        "sign",
        "prefix_rows",
    }


@pytest.mark.parametrize("window", UNEQUAL)
def test_column_major_tokens_with_the_opposite_sign_are_both_named(window):
    assert checked(column_major(window).T, window).kinds[:2] == ["token_order", "sign"]


@pytest.mark.parametrize(
    ("window", "dtype"), [((9, 9), "uint8"), ((6, 7), "int8"), ((3, 4, 5), "uint8"), ((100,), "int8")]
)
def test_a_dtype_too_narrow_for_the_rows_is_named(window, dtype):
    index = right(window)
    assert index.max() > np.iinfo(dtype).max
    assert checked(index.astype(dtype), window).kinds[0] == "overflow"


def test_what_is_no_index_is_named():
    index = right((3, 5))
    assert checked(index.astype(float), (3, 5)).kinds == ["dtype"]
    halves, gaps = index / 2, index.astype(float)
    gaps[0, 1] = np.nan
    for array_, entry in [(halves, "[0, 1] is 10.5"), (gaps, "[0, 1] is nan")]:
        (finding,) = checked(array_, (3, 5)).findings
        assert finding.kind == "dtype"
        assert entry in finding.text
    for array_ in (index > 3, index.astype(complex), index.astype(str), index.astype(object)):
        assert checked(array_, (3, 5)).kinds == ["dtype"]
    for array_ in (2.0**70 * index, np.where(index == 3, 2**63, index.astype("uint64"))):
        assert checked(array_, (3, 5)).kinds == ["dtype"]
    for array_, hint in [
        (right((7, 7)), "a window of (7, 7) would fit"),
        (right((3, 5), 2), "num_prefix_tokens=2 would fit"),
        (np.zeros((2, 15, 15), int), "'decomposed' has an index per axis"),
        (np.zeros((15, 16), int), "expected (15, 15)"),
        (np.zeros(()), "expected (15, 15)"),
        (np.zeros((0, 15), int), "expected (15, 15)"),
    ]:
        (finding,) = checked(array_, (3, 5)).findings
        assert finding.kind == "shape"
        assert hint in finding.text


def test_random_rows_are_unexplained():
    index = np.random.default_rng(0).integers(0, 45, (15, 15))
    report = checked(index, (3, 5))
    assert report.kinds[0] == "unexplained"
    assert report.permutation is None


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_every_convention_knows_the_others(convention):
    """Of a sequence all conventions differ; each is recognised beside each."""
    names = [name for name in CONVENTIONS if name != "decomposed"]
    indices = {name: by_hand(name, 40) for name in names}
    if convention == "decomposed":
        assert check_index(indices["swin"][None], 40, convention=convention).ok
        return
    for name, index in indices.items():
        report = check_index(index, 40, convention=convention)
        assert report.recognised == name
        assert report.ok == (name == convention)
        if report.permutation is not None:
            np.testing.assert_array_equal(report.permutation[indices[convention]], index)


def by_hand(name, length):
    """Return the index of a sequence in a convention; T5's buckets as its paper's code has them."""

    def t5(distance, buckets):
        exact = buckets // 2
        if distance < exact:
            return distance
        far = exact + int(np.log(distance / exact) / np.log(128 / exact) * (buckets - exact) + 1e-9)
        return min(far, buckets - 1)

    rows = {
        "swin": lambda o: o + length - 1,
        "maxvit": lambda o: -o + length - 1,
        "levit": abs,
        "t5": lambda o: 16 * (o < 0) + t5(abs(o), 16),
        "t5_decoder": lambda o: t5(max(o, 0), 32),
    }
    return made((length,), rows[name])


@pytest.mark.parametrize("convention", ["levit", "maxvit"])
def test_faults_are_named_in_other_conventions_too(convention):
    window, tokens = (3, 5), places((3, 5))

    def index(window, tokens=None):
        if convention == "maxvit":
            return made(window, lambda *o: row_major([-each for each in o], window), tokens)
        return made(window, lambda y, x: abs(y) * window[1] + abs(x), tokens)

    def kinds(found):
        return check_index(found, window, convention=convention).kinds

    assert kinds(index(window)) == []
    columns = [place[::-1] for place in places((5, 3))]
    assert kinds(index(window, columns))[0] == "token_order"
    assert kinds(index(window) + 1)[0] == "shift"
    assert kinds(index((7, 7))[:15, :15])[0] == ("slice" if convention == "maxvit" else "grid")
    assert kinds(made(window, lambda y, x: abs(y) + abs(x), tokens))[0] in ("strides", "unexplained")


def test_an_index_per_axis_is_checked_axis_by_axis():
    window = (3, 5)
    planes = np.array([made(window, lambda y, x: y + 2), made(window, lambda y, x: x + 4)])
    assert check_index(planes, window, convention="decomposed").ok
    report = check_index(planes[::-1], window, convention="decomposed")
    assert report.kinds[0] == "axes"
    report = check_index(np.stack([4 - planes[0], planes[1]]), window, convention="decomposed")
    assert report.kinds == ["sign"]
    assert report.findings[0].text.startswith("axis 0: ")
    first, second = report.permutation
    assert (first.tolist(), second.tolist()) == ([4, 3, 2, 1, 0], list(range(9)))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"window_size": (3, 0)}, ValueError, "window_size is 0"),
        ({"window_size": "77"}, TypeError, "window_size is"),
        ({"window_size": 3.0}, TypeError, "window_size is 3.0"),
        ({"num_prefix_tokens": -1}, ValueError, "num_prefix_tokens is -1"),
        ({"num_prefix_tokens": 1.0}, TypeError, "num_prefix_tokens is 1.0"),
        ({"convention": "timm"}, ValueError, "convention is 'timm', expected one of 'swin'"),
        ({"convention": "t5"}, ValueError, "expected one axis"),
        ({"index": np.ma.ones((15, 15), int)}, TypeError, "index is a masked array"),
        ({"index": [[1, 2], [3]]}, TypeError, "index is no array"),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        check_index(**{"index": right((3, 5)), "window_size": (3, 5)} | arguments)


def test_it_needs_neither_pytorch_nor_numba():
    python(
        "import sys; sys.modules['torch'] = sys.modules['numba'] = None\n"
        "from parity_tests.check_index import check_index\n"
        "assert check_index([[1, 0], [2, 1]], 2).ok"
    )


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
