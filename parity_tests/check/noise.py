"""Rounding to a lower precision, modelled as random errors of the same size."""

import numpy as np
from numba import njit

from .. import budget
from ..rounding import GRIDS, STEP, Rounding, uniform

NEAREST = STEP / 2  # a rounding to nearest errs half as much as one up or down at random


class Noise:
    """Base of the steps that are rounded to the dtype of `rounding`.

    A rounding to nearest has an error of NEAREST · eps · |x|, root mean square; a sum has that of each
    of its partial sums. Equal numbers, and x and −x, have equal errors, as in `Rounding`.
    """

    rounding: Rounding

    def rounded(self, x):
        """Return x rounded to the dtype; numbers that it can hold stay."""
        return np.where(self.nearest(x) == x, x, self.noisy(x, np.square(x)))

    def product(self, a, b):
        """Return a b, each sum of n terms made in the dtype, in any order.

        Its partial sums s have E Σ s² = n/3 (Σ x)² + n/6 Σ x²; the terms x are rounded products.
        """
        total, count = a @ b, a.shape[-1]
        squares = np.square(a) @ np.square(b)
        return self.noisy(total, count / 3 * np.square(total) + (count / 6 + 1) * squares)

    # Sums over the first axis that are made as they would be, not modelled.

    def shuffled(self, terms):
        return np.random.default_rng(self.rounding.run).permutation(terms)

    def one_by_one(self, terms):
        flat = self.nearest(terms).reshape(len(terms), -1)
        return _one_by_one(flat, GRIDS[self.rounding.dtype][0]).reshape(terms.shape[1:])

    def in_tree(self, terms):
        terms = self.nearest(terms)
        while len(terms) > 1:
            terms = np.concatenate([terms, np.zeros_like(terms[: len(terms) % 2])])
            terms = self.nearest(terms[::2] + terms[1::2])
        return terms[0]

    def noisy(self, x, squares):
        """Return x with the errors of rounding numbers that have this sum of squares."""
        size = NEAREST * self.rounding.eps * np.sqrt(squares)
        return x + np.sqrt(3) * size * np.sign(x) * uniform(x, np.uint64(self.rounding.run))

    def nearest(self, x):
        return budget.rounded(x, self.rounding.dtype)


@njit(cache=True)
def _one_by_one(terms, digits):
    """Return the sums over the first axis, each step rounded to nearest in so many binary digits.

    The step is Veltkamp's (Numerische Mathematik 18, 1971): x (2^s + 1) − (x (2^s + 1) − x).
    """
    total = np.zeros(terms.shape[1])
    factor = 2.0 ** (53 - digits) + 1
    for term in terms:
        for i in range(len(total)):
            x = total[i] + term[i]
            total[i] = factor * x - (factor * x - x)
    return total
