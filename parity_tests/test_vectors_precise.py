"""Numbers of fifty digits in NumPy arrays, and float64 that is the same on every processor."""

import decimal
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from . import budget
from .cases import CASES
from .run import given_of, run_numpy
from .vectors import functions
from .vectors.make import few_digits, short
from .vectors.precise import FiftyDigits, _numbers, mark, precision, rounded_once
from .vectors.steady import Steady

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("name", ["exp", "sqrt", "log", "log1p", "sin", "cos", "erf"])
def test_functions_are_those_of_mpmath(name):
    mpmath = pytest.importorskip("mpmath")
    ours = functions.erf if name == "erf" else functions.FUNCTIONS[getattr(np, name)]
    with mpmath.workdps(60), decimal.localcontext(prec=50):
        for x in (1e-30, 3e-5, 0.1, 1.0, 3.2, 40.0):
            theirs = Decimal(str(getattr(mpmath, name)(mpmath.mpf(x))))
            assert abs(ours(Decimal(x)) - theirs) <= abs(theirs) * Decimal("1e-48"), (name, x)


def test_sums_and_products_are_exact_and_rounded_once():
    a, b = RNG.standard_normal((2, 5, 40)), RNG.standard_normal((2, 40, 3))
    with precision():
        product, total = rounded_once(mark(a) @ b), rounded_once(mark(a).sum((0, 2)))
    for at in np.ndindex(product.shape):
        terms = zip(a[at[0], at[1]].tolist(), b[at[0], :, at[2]].tolist(), strict=True)
        assert product[at] == float(sum(Fraction(x) * Fraction(y) for x, y in terms))
    assert total.tolist() == [float(sum(map(Fraction, a[:, i].ravel().tolist()))) for i in range(5)]


def test_float64_loses_what_fifty_digits_keep():
    x = np.array([1e20, 1.0, -1e20])
    with precision():
        assert rounded_once(mark(x).sum()) == 1.0
    assert x.sum() == 0.0


MOVES = {
    "slice": lambda x: x[1:, ::2],
    "gather": lambda x: x[np.array([1, 0, 1])],
    "transpose": lambda x: np.ascontiguousarray(x.transpose(1, 0)),
    "reshape": lambda x: x.reshape(-1),
    "concatenate": lambda x: np.concatenate([x, x]),
    "where": lambda x: np.where(np.array([[True], [False]]), x, x),
    "copy": lambda x: x.astype(np.float64),
    "pad": lambda x: np.pad(x, 1),
}


@pytest.mark.parametrize("name", MOVES)
def test_moving_a_number_keeps_all_its_digits(name):
    with precision():
        third = mark(np.arange(1.0, 9.0).reshape(2, 4)) / 3
        moved = MOVES[name](third)
        expected = MOVES[name](np.arange(1.0, 9.0).reshape(2, 4))
        left = mark(np.asarray(moved)) * 3 - expected  # 1/3 in float64 would leave 1e-17
        assert abs(rounded_once(left)).max() < 1e-45


@pytest.mark.parametrize("name", ["add", "exp", "matmul"])
def test_computing_outside_is_noticed(name):
    with precision():
        plain = np.asarray(mark(np.ones((2, 2))) / 3)
        with np.errstate(invalid="ignore"):
            lost = {"add": plain + 1, "exp": np.exp(plain), "matmul": plain @ plain}[name]
        with pytest.raises(ArithmeticError, match="computed in float64"):
            rounded_once(lost)


def test_float32_among_the_numbers_is_refused():
    with precision(), pytest.raises(TypeError, match="float32"):
        mark(np.ones(2)) + np.ones(2, np.float32)


def test_the_numbers_are_forgotten_after_use():
    with precision():
        third = mark(np.ones(1)) / 3
        assert _numbers(third)[0] == Decimal(1) / 3
    with pytest.raises(IndexError):
        _numbers(third)


LARGE = 6_000  # numbers: beyond that the definition with fifty digits takes seconds
SAME = [
    case
    for case in CASES
    if case.kind in ("op", "function", "scheme", "attention") and "dropout" not in case.variant
    and sum(np.prod(spec.shape) for spec in case.inputs.values()) < LARGE
]  # fmt: skip


@pytest.mark.parametrize("kind", ["op", "function", "scheme", "attention"])
def test_every_op_function_scheme_and_layer_can_be_computed_with_fifty_digits(kind):
    for case in (case for case in SAME if case.kind == kind):
        given = given_of(case, "float64")
        expected = run_numpy(given, "float64", "numpy")
        with precision():
            results = run_numpy(given, arithmetic=FiftyDigits())
            found = {name: rounded_once(a) for name, a in results.items()}
        for name, a in expected.items():
            row = budget.float64(name, a, found[name])
            assert row.ok, (case.id, row)


def test_steady_sums_are_numpys_but_for_the_last_bits():
    a, b = RNG.standard_normal((2, 3, 5, 7)), RNG.standard_normal((2, 3, 7, 4))
    for left, right in ((a, b), (a[0, 0], b[0, 0, :, 0]), (a[0, 0, 0], b[0, 0])):
        assert budget.float64("", left @ right, Steady.matmul(left, right)).ok
    for axis in (0, -1, (1, 2), None):
        for keep in (False, True):
            expected = np.add.reduce(a, axis=axis, keepdims=keep)
            assert budget.float64("", expected, Steady.add(a, axis, keep)).ok
    assert Steady.add(np.ones((2, 0)), 1).tolist() == [0.0, 0.0]
    for spec, *shapes in (
        ("bhid,hijd->bhij", (2, 3, 4, 5), (3, 4, 6, 5)),
        ("hd,bhjd->bhj", (2, 3), (4, 2, 5, 3)),
    ):
        operands = [RNG.standard_normal(shape) for shape in shapes]
        assert budget.float64("", np.einsum(spec, *operands), Steady.einsum(spec, *operands)).ok


def test_a_steady_solution_solves():
    a, b = RNG.standard_normal((6, 6)), RNG.standard_normal((6, 2))
    a[0, 0] = 0  # needs a pivot
    assert budget.float64("", np.linalg.solve(a, b), Steady.solve(a, b)).ok


def test_steady_sums_go_from_the_first_term_to_the_last():
    """Pairwise, as NumPy adds up, 1e16 would swallow fewer ones."""
    x = np.array([1e16] + 64 * [1.0])
    assert Steady.add(x) == 1e16 != x.sum()
    assert Steady.matmul(x[None], np.ones((65, 1)))[0, 0] == 1e16


def test_steady_functions_are_rounded_once():
    x = RNG.standard_normal(200)
    exp = Steady.function(np.exp)(x)
    with decimal.localcontext(prec=60):
        assert exp.tolist() == [float(Decimal(each).exp()) for each in x.tolist()]


def test_a_spread_keeps_few_digits_and_never_becomes_zero():
    spread = np.array([1 / 3, 2.0**-126 / np.sqrt(3), 1e30])
    kept = short(spread)
    np.testing.assert_allclose(kept, spread, rtol=2.0**-12)
    assert (kept.astype(np.float32) == kept).all() and kept.min() > 0
    assert short(spread * (1 + 2.0**-40)).tolist() == kept.tolist()
    assert few_digits(1.23456e-7) == 1.23e-7
