"""NumPy's functions for arrays of Decimals, with the precision of the decimal context."""

import decimal
from decimal import Decimal

import numpy as np

GUARD = 10  # digits more for intermediate results


def log(x):
    """Return ln x."""
    return Decimal(x).ln()


def log1p(x):
    """Return ln(1 + x); 1 + x is exact, so nothing is lost for a small x."""
    with decimal.localcontext() as context:
        context.prec *= 2
        return +(1 + Decimal(x)).ln()


def power(x, y):
    """Return x to the power of y, 1 for 0 to the power of 0."""
    return Decimal(1) if y == 0 else Decimal(x) ** Decimal(y)


def sine(x):
    """Return sin x by its series, after whole turns are taken off."""
    return _wave(x, 1)


def cosine(x):
    """Return cos x by its series, after whole turns are taken off."""
    return _wave(x, 0)


def _wave(x, first):
    """Return the sum of (−1)^n x^(2n + first) / (2n + first)!"""
    with decimal.localcontext() as context:
        context.prec += GUARD
        x = Decimal(x)
        x -= 2 * pi() * (x / (2 * pi())).to_integral_value()
        term = total = x if first else Decimal(1)
        place, least = first, Decimal(10) ** -context.prec
        while abs(term) > least:
            term *= -x * x / ((place + 1) * (place + 2))
            place += 2
            total += term
    return +total


def erf(x):
    """Return erf x = 2/√π exp(−x²) Σ 2^n x^(2n + 1) / (1 · 3 · … · (2n + 1)), terms of one sign."""
    with decimal.localcontext() as context:
        context.prec += GUARD
        x = Decimal(x)
        term = total = x
        place = 1
        while abs(term) > abs(total) * Decimal(10) ** -context.prec:
            place += 2
            term *= 2 * x * x / place
            total += term
        value = 2 / pi().sqrt() * (-x * x).exp() * total
    return +value


def pi():
    """Return π by Machin's formula, 16 arctan(1/5) − 4 arctan(1/239)."""
    with decimal.localcontext() as context:
        context.prec += GUARD
        value = 16 * _arctan_of_inverse(5) - 4 * _arctan_of_inverse(239)
    return +value


def _arctan_of_inverse(n):
    power, total, place = Decimal(1) / n, Decimal(0), 1
    while power > Decimal(10) ** -decimal.getcontext().prec:
        total += power / place if place % 4 == 1 else -power / place
        power /= n * n
        place += 2
    return total


def _to_integers(x, rounding):
    """Return float64: integers below 2^53 need no more digits."""
    rounded = _unary(lambda number: number.to_integral_value(rounding))(x)
    return np.asarray(rounded).astype(np.float64)


def _unary(function):
    return np.frompyfunc(function, 1, 1)


FUNCTIONS = {
    np.exp: _unary(lambda x: Decimal(x).exp()),
    np.sqrt: _unary(lambda x: Decimal(x).sqrt()),
    np.log: _unary(log),
    np.log1p: _unary(log1p),
    np.log2: _unary(lambda x: log(x) / log(2)),
    np.sin: _unary(sine),
    np.cos: _unary(cosine),
    np.power: np.frompyfunc(power, 2, 1),
    np.true_divide: np.frompyfunc(lambda x, y: Decimal(x) / Decimal(y), 2, 1),
    np.floor: lambda x: _to_integers(x, decimal.ROUND_FLOOR),
    np.rint: lambda x: _to_integers(x, decimal.ROUND_HALF_EVEN),
    np.isfinite: np.frompyfunc(lambda x: x.is_finite(), 1, 1),
}
