"""Interpolation of a table in small steps: out = M table, each row of M what a new row is made of.

The steps make M; so a bug in a step is in the output and in its gradient Mᵀ dout.
"""

import math
from functools import cached_property, reduce

import numpy as np

TOLERANCE = 1e-6  # of the ratio of "geometric", as in BEiT's code


class Resize:
    """out = M table,  M = W_1 ⊗ W_2 ⊗ … (a matrix per axis), and 1 for each row of prefix tokens.

    table: (R, H), R = Π (2 · size − 1) [+ 3]; dout: (R', H).
    """

    def __init__(self, dout, table, window_size, new_window_size, method="bicubic", num_prefix_tokens=0):
        self.dout, self.table, self.method = dout, table, method
        self.window_size, self.new_window_size = window_size, new_window_size
        self.prefix_rows = 3 if num_prefix_tokens else 0
        self.arguments = {"table": table, "window_size": window_size, "method": method}
        self.arguments |= {"new_window_size": new_window_size, "num_prefix_tokens": num_prefix_tokens}

    def result(self, name):
        """Return one of the results, "out" or "dtable"."""
        return getattr(self, name)()

    def out(self):
        return self.product(self.matrix, self.table)

    def dtable(self):
        return self.product(self.matrix.T, self.dout)

    def product(self, matrix, x):
        return matrix @ x

    # the matrix of the whole table

    @cached_property
    def matrix(self):
        """M: (R', R)"""
        rows, columns = self.offsets.shape
        whole = np.zeros((rows + self.prefix_rows, columns + self.prefix_rows))
        whole[:rows, :columns] = self.offsets
        whole[rows:, columns:] = self.of_prefix()
        return whole

    def of_prefix(self):
        return np.eye(self.prefix_rows)

    @cached_property
    def offsets(self):
        """M of the offsets alone, W_1 ⊗ W_2 ⊗ …"""
        return reduce(np.kron, map(self.along_axis, self.old(), self.new()))

    def old(self):
        """The number of offsets along each axis of the old window."""
        return tuple(2 * size - 1 for size in self.window_size)

    def new(self):
        return tuple(2 * size - 1 for size in self.new_window_size)

    def along_axis(self, old, new):
        """W of an axis: (new, old)"""
        if old == new:
            return np.eye(old)
        return self.geometric(old, new) if self.used_method() == "geometric" else self.taps(old, new)

    def used_method(self):
        return self.method

    def numbers(self, x):
        """The numbers that the weights are computed from."""
        return np.asarray(x, np.float64)

    # "bicubic" and "linear": a few old rows on both sides of each new one

    def places(self, old, new):
        """Where the new offsets lie among the old ones: both cover the same length."""
        return (self.numbers(np.arange(new)) + 0.5) * (old / new) - 0.5

    def taps(self, old, new):
        places = self.places(old, new)
        taps = np.arange(-4, old + 4)
        return self.folded(self.kernel(np.abs(places[:, None] - taps)), taps, old)

    a = -0.75

    def kernel(self, x):
        """The weight of an old row at distance x ≥ 0."""
        if self.used_method() == "linear":
            return np.where(x < 1, 1 - x, 0)
        a = self.a
        near = (a + 2) * x**3 - (a + 3) * x**2 + 1
        far = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
        return np.where(x < 1, near, np.where(x < 2, far, 0))

    def inside(self, taps, old):
        """The old row that each tap reads: the first or last one beyond the border."""
        return np.clip(taps, 0, old - 1)

    def folded(self, weights, taps, old):
        """Return the sums of the weights of each old row: (new, old)"""
        matrix = np.zeros((len(weights), old))
        for column, row in enumerate(self.inside(taps, old)):
            matrix[:, row] += weights[:, column]
        return matrix

    # "geometric": a spline through the old rows, moved apart

    degree = 3

    def geometric(self, old, new):
        sites = self.numbers(self.sites(old // 2, new // 2))
        places = np.clip(self.numbers(np.arange(new) - new // 2), sites[0], sites[-1])
        if old == 1:
            return np.ones((new, 1))
        at_sites, at_places = (b_splines(x, sites, min(self.degree, old - 1)) for x in (sites, places))
        return np.linalg.solve(at_sites.T, at_places.T).T

    def sites(self, count, last):
        """Where the old offsets move: ±1, ±(1 + q), …, `count` on each side, so far as `last`."""
        low, high = 1.01, 1.5
        while high - low > TOLERANCE:
            ratio = (low + high) / 2
            low, high = (low, ratio) if self.distances(ratio, count)[-1] > last else (ratio, high)
        distances = self.distances(ratio, count)[1:]
        return [-d for d in reversed(distances)] + [0, *distances]

    def distances(self, ratio, count):
        """[0, 1, 1 + q, 1 + q + q², …]"""
        return [math.fsum(ratio**n for n in range(end)) for end in range(count + 1)]


def b_splines(x, sites, degree):
    """Return each of the splines that span those through `sites`, at x: (len(x), len(sites)).

    The second and the last but one site are no knots of a cubic spline. By de Boor's recursion.
    """
    cut = (degree + 2) // 2
    inner = sites[cut : len(sites) - cut]
    knots = np.concatenate([sites[:1]] * (degree + 1) + [inner] + [sites[-1:]] * (degree + 1))
    left = np.clip(np.searchsorted(sites[: len(sites) - 1], x, "right") - 1, 0, None)
    piece = np.searchsorted(knots, sites[left], "right") - 1
    found = (np.arange(len(knots) - 1) == piece[:, None]).astype(np.float64)
    for order in range(1, degree + 1):
        count = len(knots) - 1 - order
        rising, falling = (_ramp(x, knots, start, count, order) for start in (0, 1))
        found = rising * found[:, :count] + (1 - falling) * found[:, 1 : count + 1]
    return found


def _ramp(x, knots, start, count, order):
    """(x − t_i) / (t_i+order − t_i), 0 where the knots are the same."""
    first, last = knots[start : start + count], knots[start + order : start + order + count]
    length = last - first
    return np.where(length > 0, (x[:, None] - first) / np.where(length > 0, length, 1), 0)
