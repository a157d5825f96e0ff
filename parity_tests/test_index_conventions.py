"""`check_index` and the conventions: the schemes' own indices, each convention beside the others."""

import numpy as np
import pytest

import numpy_ref

from .both import TWINS, array
from .check_index import CONVENTIONS, check_index
from .indices import WINDOWS, made, places, row_major, with_prefix

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


@pytest.mark.parametrize("prefix", [1, 2])
@pytest.mark.parametrize("window", WINDOWS)
def test_one_row_for_prefix_pairs_or_two_are_right_too(window, prefix):
    """Schemes without prefix rows read a row of zeros, causal ones also one that masks."""
    index = made(window)
    first = index.max() + 1
    for rows in [(first, first, first), (first + 1, first, first)]:
        assert check_index(with_prefix(index, rows, prefix), window, prefix).ok


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


def test_the_sign_is_the_opposite_of_what_was_asked_for():
    index = made((3, 5))
    text = check_index(index, (3, 5), convention="maxvit").findings[0].text
    assert text.startswith("the offset is query − key, expected key − query")
    text = check_index(index.T, (3, 5)).findings[0].text
    assert text.startswith("the offset is key − query, expected query − key")


@pytest.mark.parametrize("convention", ["levit", "maxvit"])
def test_faults_are_named_in_other_conventions_too(convention):
    window = (3, 5)

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
    sums = made(window, lambda y, x: abs(y) + abs(x))
    assert kinds(sums)[0] == ("distance" if convention == "maxvit" else "strides")


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
