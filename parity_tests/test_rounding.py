"""The arithmetic that rounds at random, and the yardsticks made with it."""

import numpy as np
import pytest

from numpy_ref.ops import attention_weights

from . import budget
from .cases import CASES
from .rounded import Rounded, RoundedOps, on_grid
from .rounding import GRIDS, Rounding
from .run import given_of
from .verdict import judge, truth_of
from .yardstick import yardsticks

DTYPES = ("float32", "float16", "bfloat16")
BY_ID = {case.id: case for case in CASES}


def numbers(dtype, size=20_000):
    """Return numbers of all magnitudes of the dtype, including subnormal ones."""
    rng = np.random.default_rng(0)
    _, least = GRIDS[dtype]
    return rng.standard_normal(size) * 2.0 ** rng.integers(least - 4, 12, size)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_result_is_one_of_the_two_neighbours(dtype):
    x = numbers(dtype)
    results = np.stack([Rounding(dtype, n).round(x) for n in range(20)])
    assert (results == budget.rounded(results, dtype)).all()  # on the grid
    low, high = results.min(0), results.max(0)
    between = low < high
    assert (low <= x + 1e-6 * (high - low)).all() and (x <= high + 1e-6 * (high - low)).all()
    middle = budget.rounded((low + high) / 2, dtype)  # no third number of the grid between the two
    assert ((middle == low) | (middle == high)).all()
    assert between.mean() > 0.9 or dtype == "bfloat16"


@pytest.mark.parametrize("dtype", DTYPES)
def test_up_and_down_are_as_likely_and_equal_numbers_go_together(dtype):
    x = numbers(dtype)
    rounding = Rounding(dtype, 3)
    y = rounding.round(x)
    np.testing.assert_array_equal(rounding.round(y), y)
    np.testing.assert_array_equal(rounding.round(-x), -y)
    np.testing.assert_array_equal(rounding.round(x * (1 + 2.0**-50)), y)  # float64's last bits
    away = np.abs(y) > np.abs(x)
    moved = np.abs(y - x) > 1e-5 * np.abs(x) * rounding.eps
    assert abs(away[moved].mean() - 0.5) < 0.02
    assert (Rounding(dtype, 4).round(x) != y).mean() > 0.4


def test_what_is_no_number_stays():
    special = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0])
    with np.errstate(invalid="ignore"):
        rounded = Rounding("float16", 0).round(special)
    np.testing.assert_array_equal(rounded, special)
    assert np.signbit(rounded[4])


def test_arithmetic_stays_on_the_grid():
    rounding = Rounding("float16", 0)
    a, b = (on_grid(np.random.default_rng(n).standard_normal((5, 5)), rounding) for n in (0, 1))
    sums = np.zeros((5, 5))
    sums += a
    results = [a + b, a @ b, np.exp(a), a.sum(0), a.mean(), np.einsum("ij,jk->ik", a, b), a / 3, sums]
    results += [np.where(a > 0, a * b, 0), np.concatenate([a, b])[1:] - 1.1, (2.2 * a).max(-1)]
    for result in results[:-4] + results[-3:]:
        assert isinstance(result, Rounded)
    for result in results:
        np.testing.assert_array_equal(result, budget.rounded(result, "float16"))


def test_a_sum_errs_as_one_made_in_float32():
    """The modelled error of a sum is within 25 % of the error when each step is rounded (RMS)."""
    rng, rounding = np.random.default_rng(0), Rounding("float32", 0)
    for shift in (0.0, 1.0):
        x = budget.rounded(rng.standard_normal((4000, 400)) + shift, "float32")
        steps = np.zeros(4000)
        for column in x.T:
            steps = rounding.round(steps + column)
        at_once = np.asarray(on_grid(x, rounding).sum(1))
        by_steps, modelled = (np.sqrt(np.mean((y - x.sum(1)) ** 2)) for y in (steps, at_once))
        assert 0.8 < modelled / by_steps < 1.25


def test_in_place_ops_update_what_they_are_given():
    arrays = [np.full(3, value) for value in (1.0, 0.5, 0.1, 0.2)]
    RoundedOps(Rounding("float32", 0)).adamw_update(*arrays, step=1, lr=0.1)
    assert (arrays[0] < 1).all() and (arrays[2] > 0.1).all()


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_a_yardstick_that_would_allow_anything_is_refused(value):
    with pytest.raises(ValueError, match="out: rounding to float32 costs"):
        yardsticks({"out": np.ones(3)}, lambda rounding: {"out": np.array([1.0, value, 1.0])}, "float32")


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_truth_rounded_once_is_within_every_budget(dtype):
    """A correctly rounded result is the best possible and must be within the budget."""
    for case in CASES[::9]:
        truth, _ = truth_of(case, dtype)
        rounded = {n: budget.rounded(a, dtype) if a.dtype.kind == "f" else a for n, a in truth.items()}
        assert all(row.ok for row in judge(case, dtype, rounded, ""))


def test_a_table_gradient_added_up_in_bfloat16_is_red():
    """Adding in bfloat16, as atomic additions do, is over budget; adding in float32 is not."""
    case = BY_ID["op-attention-swin_256_windows"]
    given, dtype = given_of(case, "bfloat16"), "bfloat16"
    truth, _ = truth_of(case, dtype)
    index, dscores = given.inputs["index"].ravel(), dscores_of(given)  # (256, 49 · 49)
    assert budget.float64("", truth["dtable"][:, 0], np.bincount(index, dscores.sum(0))).ok
    for dtype_of_sum, red in (("float32", set()), (dtype, {"dtable"})):
        dtable = np.zeros_like(truth["dtable"])
        for pair_of_row in range(49):  # each row of the table is read by at most 49 pairs of a window
            pairs = [np.flatnonzero(index == r)[pair_of_row:][:1] for r in range(len(dtable))]
            rows = np.array([r for r, pair in enumerate(pairs) if pair.size])
            for dscore in dscores[:, np.concatenate(pairs)]:
                dtable[rows, 0] = budget.rounded(dtable[rows, 0] + dscore, dtype_of_sum)
        found = judge(case, dtype, truth | {"dtable": budget.rounded(dtable, dtype)}, "")
        assert {row.tensor for row in found if not row.ok} == red


def dscores_of(given):
    """Return dS = P (dP − Σ P dP) of the single head, a row per window."""
    q, k, v, table, index = (given.inputs[name] for name in ("q", "k", "v", "table", "index"))
    p = attention_weights(q, k, table, index)
    (dout,) = given.cotangents([v])
    dp = dout @ v.swapaxes(-1, -2)
    return (p * (dp - (p * dp).sum(-1, keepdims=True))).reshape(len(q), -1)
