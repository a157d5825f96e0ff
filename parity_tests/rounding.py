"""The arithmetic of a lower precision, each result rounded up or down at random.

Lower precision rounds every result to a number on its grid. Here results are computed in float64 and
each is moved at random to the next grid number above or below; a result on the grid stays (CESTAC:
Vignes, Mathematics and Computers in Simulation 35, 1993). Several such runs show the error that rounding
causes in a formula.

The direction is a hash of the value and of the run. Equal numbers are rounded in the same way, as on a
real machine, so the errors of a number that is used often add up. So are x and −x: their errors cancel.
Nothing depends on the processor: float64's last bits, in which processors differ, are far below the grid
and are ignored.
"""

import math
from dataclasses import dataclass

import numpy as np
from numba import config, float64, int64, njit, uint64, vectorize

# {dtype: (binary digits of the significand, exponent of the smallest normal number)}; below that number
# the grid has equal spacing.
GRIDS = {"float32": (24, -126), "float16": (11, -14), "bfloat16": (8, -126)}
ON_GRID = 2.0**-20  # of a spacing: a number nearer to the grid counts as on it
STREAM = {"round": 1, "function": 2, "sum": 3}  # for independent hashes

# The root mean square of one random rounding in units of eps·|x|: 1/√3 of a spacing, which is 0.72
# eps·|x| for a number of random size.
STEP = 0.42


class Fast:
    """Float64 as NumPy computes it; the last bits differ between processors."""

    matmul, add, einsum, solve = np.matmul, np.add.reduce, np.einsum, np.linalg.solve

    @staticmethod
    def function(ufunc):
        """Return what computes a function of NumPy."""
        return ufunc


@dataclass(frozen=True)
class Rounding:
    """One run of rounding to the grid of `dtype`; half precision adds up in float32.

    float64: what computes the numbers that are rounded, `Fast` or `vectors.steady.Steady`.
    """

    dtype: str
    run: int
    float64: type = Fast

    @property
    def eps(self):
        return 2.0 ** (1 - GRIDS[self.dtype][0])

    def round(self, x):
        """Return x with each element moved to one of its two neighbours on the grid."""
        return _neighbour(x, *GRIDS[self.dtype], self._salt("round"))

    def function(self, x, ulps):
        """Return a possible result of a library function with an error of up to `ulps` eps; x: exact."""
        off = ulps * self.eps * x * uniform(x, self._salt("function"))
        return self.round(np.where(self.round(x) == x, x, x + off))

    def sum(self, total, squares, count):
        """Return a possible result of adding n terms in random order.

        total: T = Σ x, exact; squares: Q = Σ x²; count: n. Each step rounds a partial sum s_k, and
        E Σ s_k² = n/3 T² + n/6 Q; the terms themselves are rounded products. So the error has the
        variance (STEP · eps)² (n/3 T² + (n/6 + 1) Q).
        """
        total, count = np.asarray(total), np.asarray(count)
        variance = count / 3 * np.square(total) + (count / 6 + 1) * squares
        deviation = STEP * min(self.eps, 2.0**-23) * np.sqrt(np.where(count > 1, variance, 0))
        off = math.sqrt(3) * np.copysign(deviation, total) * uniform(total, self._salt("sum"))
        return self.round(np.where(np.isfinite(total), total + off, total))

    def _salt(self, stream):
        return np.uint64(1000 * self.run + STREAM[stream])


# NUMBA_DISABLE_JIT is for debugging the kernels; these three functions are compiled even then.
_disabled, config.DISABLE_JIT = config.DISABLE_JIT, 0


@njit
def _hash(number, exponent, salt):
    """Return 64 random bits (SplitMix64's finaliser) for number · 2^exponent."""
    z = uint64(number) * uint64(0x9E3779B97F4A7C15) + uint64(exponent + 2048)
    z = (z ^ (salt * uint64(0xD1342543DE82EF95))) * uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> uint64(29))) * uint64(0x94D049BB133111EB)
    return z ^ (z >> uint64(32))


@vectorize([float64(float64, int64, int64, uint64)], cache=True)
def _neighbour(x, digits, least, salt):
    """Return x if on the grid, otherwise the neighbour towards or away from zero, each with p = 1/2."""
    if x == 0 or not math.isfinite(x):
        return x
    exponent = max(math.frexp(x)[1] - 1, least) - digits + 1  # of the spacing
    units = math.ldexp(abs(x), -exponent)
    below = math.floor(units)
    between = round((units - below) / ON_GRID) * ON_GRID
    if 0 < between < 1:
        between = _hash(below, exponent, salt) >> uint64(63)
    return math.copysign(math.ldexp(below + between, exponent), x)


@vectorize([float64(float64, uint64)], cache=True)
def uniform(x, salt):
    """Return a random number in [−1, 1), the same for x, −x and all that agree in seven digits."""
    if x == 0 or not math.isfinite(x):
        return 0.0
    fraction, exponent = math.frexp(abs(x))
    bits = _hash(round(fraction * 2**24), exponent, salt)
    return (bits >> uint64(11)) / 2.0**52 - 1


config.DISABLE_JIT = _disabled
