"""The ops of the optimiser: one array's AdamW update, and the squared norm that clipping needs."""

import copy
import functools

import numpy as np
import pytest

import numpy_ref.kernels as kernels
import numpy_ref.ops as ops

from . import budget
from .calls import misaligned, read_only
from .rounded import RoundedOps, on_grid
from .yardstick import yardsticks

RATES = {"lr": 1e-2, "weight_decay": 0.1}


def arrays_of(size, dtype):
    """Return [data, gradient, m, v], with v of the size of g² as after some steps."""
    data, grad, m, v = np.random.default_rng(size).standard_normal((4, size)).astype(dtype)
    return [data, grad, m, v * v]


@pytest.mark.parametrize("module", [ops, kernels], ids=["ops", "kernels"])
@pytest.mark.parametrize(
    ("place", "spoil", "error", "message"),
    [
        (1, lambda a: a[:-1], ValueError, r"grad has shape \(5, 6\), expected \(6, 6\)"),
        (2, lambda a: a.reshape(4, 9), ValueError, r"exp_avg has shape \(4, 9\)"),
        (3, lambda a: a.astype(np.float32), TypeError, "exp_avg_sq: float32"),
        (0, lambda a: a.astype(np.int64), TypeError, "data has dtype int64"),
        (0, lambda a: a.T, ValueError, "data is not contiguous"),
        (3, lambda a: np.repeat(a, 2, 1)[:, ::2], ValueError, "exp_avg_sq is not contiguous"),
        (0, read_only, ValueError, "data is read-only"),
        (2, read_only, ValueError, "exp_avg is read-only"),
        (3, lambda a: np.broadcast_to(a[:1], a.shape), ValueError, "exp_avg_sq is not contiguous"),
        (0, misaligned, ValueError, "data is not aligned"),
        (1, lambda a: None, TypeError, "grad is a NoneType"),
        (2, np.ma.masked_invalid, TypeError, "exp_avg is a masked array"),
        (3, lambda a: a.tolist(), TypeError, "exp_avg_sq is a list"),
        (1, lambda a: a.astype(">f8"), TypeError, "grad has dtype >f8"),
    ],
)
def test_the_update_refuses_what_does_not_fit_and_changes_nothing(module, place, spoil, error, message):
    arrays = [a.reshape(6, 6) for a in arrays_of(36, np.float64)]
    arrays[place] = spoil(arrays[place])
    assert_refused(module, arrays, error, message)


def assert_refused(module, arrays, error, message, **rates):
    before = [copy.deepcopy(a) for a in arrays]
    with pytest.raises(error, match=message):
        module.adamw_update(*arrays, **{"step": 1} | RATES | rates)
    for array, unchanged in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, unchanged)


@pytest.mark.parametrize("module", [ops, kernels], ids=["ops", "kernels"])
@pytest.mark.parametrize("shift", [0, 1, 35])
@pytest.mark.parametrize("pair", [(0, 1), (0, 2), (0, 3), (2, 1), (2, 3), (3, 1)])
def test_the_update_refuses_arrays_that_overlap(pair, shift, module):
    """An overlap by one element is refused; adjacent parts of one array are accepted."""
    memory, arrays = arrays_of(80, np.float64)[3], arrays_of(36, np.float64)
    arrays[pair[0]], arrays[pair[1]] = memory[:36], memory[shift : shift + 36]
    assert_refused(module, arrays, ValueError, "overlaps")
    arrays[pair[1]] = memory[36:72]
    module.adamw_update(*arrays, step=1, **RATES)


@pytest.mark.parametrize("module", [ops, kernels], ids=["ops", "kernels"])
@pytest.mark.parametrize("lay", [read_only, misaligned, lambda a: np.repeat(a, 2)[::2]])
def test_the_gradient_is_only_read(lay, module):
    plain, given = arrays_of(36, np.float64), arrays_of(36, np.float64)
    given[1] = lay(given[1])
    for arrays in (plain, given):
        module.adamw_update(*arrays, step=1, **RATES)
    for one, other in zip(plain, given, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("module", [ops, kernels], ids=["ops", "kernels"])
@pytest.mark.parametrize(
    ("rates", "error"),
    [
        ({"step": 0}, ValueError),
        ({"step": 1.0}, TypeError),
        ({"step": True}, TypeError),
        ({"lr": np.nan}, ValueError),
        ({"lr": -1e-3}, ValueError),
        ({"lr": "1"}, TypeError),
        ({"weight_decay": -0.1}, ValueError),
        ({"betas": (0.9, 1.0)}, ValueError),
        ({"betas": (np.nan, 0.9)}, ValueError),
        ({"betas": 0.9}, TypeError),
        ({"betas": (0.9,)}, TypeError),
        ({"eps": -1e-8}, ValueError),
        ({"eps": np.inf}, ValueError),
    ],
)
def test_the_update_refuses_rates_out_of_their_range(rates, error, module):
    arrays = arrays_of(36, np.float64)
    assert_refused(module, arrays, error, next(iter(rates)), **rates)


def updated(module, size, dtype, number, cast):
    arrays = [cast(a) for a in arrays_of(size, dtype)]
    module.adamw_update(*arrays, number, betas=(0.875, 0.9921875), eps=2.0**-20, **RATES)
    return dict(zip(("data", "grad", "exp_avg", "exp_avg_sq"), arrays, strict=True))


def rounded_update(size, dtype, number, rounding):
    return updated(
        RoundedOps(rounding), size, dtype, number, lambda a: on_grid(a.astype("float64"), rounding)
    )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 20000, 40000])
@pytest.mark.parametrize("number", [1, 1000])
def test_the_update_is_the_definition(number, size, dtype):
    truth = updated(ops, size, dtype, number, lambda a: a.astype("float64"))
    costs = {}
    if dtype == "float32":
        costs = yardsticks(truth, functools.partial(rounded_update, size, dtype, number), dtype)
    for module in (ops, kernels):
        found = updated(module, size, dtype, number, lambda a: a.astype(dtype))
        for name in truth:
            assert found[name].dtype == dtype
            row = budget.row(name, truth[name], found[name], costs.get(name))
            assert row.ok, row
            assert name != "grad" or budget.exact("grad", arrays_of(size, dtype)[1], found["grad"]).ok


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("shape", [(0,), (1,), (15,), (16,), (17,), (20000,), (40000,), (3, 5, 700), ()])
def test_the_squared_norm_is_the_definition(shape, dtype):
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    x = np.asarray(x).T
    truth, norm = {"out": np.array(ops.squared_norm(x.astype("float64")))}, kernels.squared_norm(x)
    assert isinstance(norm, float)
    cost = None
    if dtype == "float32":  # the kernel adds blocks of 256 squares in float32
        wide = x.astype("float64")
        cost = yardsticks(truth, lambda r: {"out": RoundedOps(r).squared_norm(wide)}, dtype)["out"]
    assert budget.row("out", truth["out"], norm, cost).ok


def test_the_squared_norm_goes_beyond_what_a_float32_square_can_be():
    x = np.array([1e30, 3.0], np.float32)
    assert kernels.squared_norm(x) == ops.squared_norm(x) > 9e59
    for bad in (np.inf, np.nan):
        assert not np.isfinite(kernels.squared_norm(np.array([1.0, bad], np.float32)))
