"""`check_index` with indices that are none: dtype and shape; and with bad arguments."""

import numpy as np
import pytest

from .check_index import check_index
from .indices import checked, right
from .process import python


@pytest.mark.parametrize(
    ("window", "dtype"), [((9, 9), "uint8"), ((6, 7), "int8"), ((3, 4, 5), "uint8"), ((100,), "int8")]
)
def test_a_dtype_too_narrow_for_the_rows_is_named(window, dtype):
    index = right(window)
    assert index.max() > np.iinfo(dtype).max
    assert checked(index.astype(dtype), window).kinds[0] == "overflow"


def test_what_is_no_index_is_named():
    index = right((3, 5))
    report = checked(index.astype(float), (3, 5))
    assert (report.kinds, report.recognised) == (["dtype"], "swin")
    assert "fix:" not in str(report)
    assert "fix:" in str(checked(index.T, (3, 5)))
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
