"""`check_index` with prefix tokens: transposed, in another order, with other rows, at the end."""

import numpy as np
import pytest

from .indices import WINDOWS, checked, made, opposite, right, with_prefix


@pytest.mark.parametrize("window", WINDOWS)
def test_a_transposed_index_is_told_from_the_opposite_sign_by_its_prefix_rows(window):
    (transposed,) = checked(right(window, 2).T, window, 2).findings
    assert transposed.kind == "transposed"
    assert transposed.pairs[0].offset is not None  # shown by tokens of the window, not by prefix tokens
    report = checked(right(window).T, window)
    assert report.kinds == ["sign"]
    assert report.recognised == "maxvit"


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
