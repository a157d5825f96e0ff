"""Rounding to a lower precision as random errors of the right size."""

import numpy as np

from .. import budget
from ..rounding import STEP, Rounding, uniform

NEAREST = STEP / 2  # a rounding to nearest errs half as much as one up or down at random


class Noise:
    """Base of the steps that are rounded to the dtype of `rounding`.

    A rounding to nearest has an error of NEAREST · eps · |x|, root mean square; a sum has that of each of
    its partial sums. Equal numbers, and x and −x, have equal errors, as in `Rounding`.
    """

    rounding: Rounding

    def rounded(self, x):
        """Return x rounded to the dtype; numbers that it can hold stay."""
        return np.where(self.nearest(x) == x, x, self.noisy(x, np.square(x)))

    def product(self, a, b):
        """Return a b, each sum made in the dtype."""
        total = a @ b
        return self.noisy(total, one_by_one(total, np.square(a) @ np.square(b), a.shape[-1]))

    def added(self, x):
        """Return the sums over the last axis, made in the dtype in a random order, for positive x.

        They are not modelled: a sum of positive terms stops growing where a term is less than half the
        spacing of its numbers.
        """
        total = np.zeros(x.shape[:-1])
        for i in np.random.default_rng(self.rounding.run).permutation(x.shape[-1]):
            total = self.nearest(total + x[..., i])
        return total

    def noisy(self, x, squares):
        """Return x with the errors of rounding numbers that have this sum of squares."""
        size = NEAREST * self.rounding.eps * np.sqrt(squares)
        return x + np.sqrt(3) * size * np.sign(x) * uniform(x, np.uint64(self.rounding.run))

    def nearest(self, x):
        return budget.rounded(x, self.rounding.dtype)


# Σ s² over the partial sums s of n terms x in random order, and over the terms themselves, which are
# rounded first; total: Σ x, squares: Σ x², count: n.


def one_by_one(total, squares, count):
    return np.square(total) * count / 3 + squares * (count / 6 + 1)


def in_blocks(total, squares, count):
    """in blocks of √n terms, whose sums are added then"""
    return np.square(total) * np.sqrt(count) / 3 + squares * (np.sqrt(count) / 3 + 1)


def in_tree(total, squares, count):
    return 2 * np.square(total) + squares * (np.log2(np.maximum(count, 1)) + 1)
