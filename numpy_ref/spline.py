"""The cubic spline through given points, as a matrix that acts on the values."""

import numpy as np

from .types import Array


def spline_matrix(sites: Array, places: Array) -> Array:
    """Return S (m, n) so that S @ values is the cubic spline through (sites, values), at the places.

    Between two sites x_i and x_i+1 = x_i + h_i, with t = x − x_i, u = h_i − t and the second derivatives
    M at the sites:

        s(x) = (u y_i + t y_i+1) / h_i + u (u² − h_i²) / (6 h_i) M_i + t (t² − h_i²) / (6 h_i) M_i+1

    M is `second_derivatives` times y. Outside the sites the value is that of the nearest one.

    sites: (n,), ascending; places: (m,). Both float64.
    """
    if len(sites) == 1:
        return np.ones((len(places), 1))
    places = np.clip(places, sites[0], sites[-1])
    left = np.clip(np.searchsorted(sites, places, "right") - 1, 0, len(sites) - 2)
    h = (sites[left + 1] - sites[left])[:, None]
    t = (places - sites[left])[:, None]
    u = h - t
    values, curved = np.eye(len(sites)), second_derivatives(sites)
    line = (u * values[left] + t * values[left + 1]) / h
    return line + (u * (u**2 - h**2) * curved[left] + t * (t**2 - h**2) * curved[left + 1]) / (6 * h)


def second_derivatives(sites: Array) -> Array:
    """Return C (n, n) so that C @ values are the spline's second derivatives M at the sites.

    The first derivative is continuous at each inner site, with d_i = (y_i+1 − y_i) / h_i:

        h_i−1 M_i−1 + 2 (h_i−1 + h_i) M_i + h_i M_i+1 = 6 (d_i − d_i−1)

    Two conditions more are needed: the third derivative is continuous at the first and at the last inner
    site ("not a knot", as in FITPACK), so M_0 = M_1 − h_0 / h_1 (M_2 − M_1), and alike at the end. Three
    sites have a parabola, with M the same everywhere; two have a line.

    sites: (n,), ascending, at least two.
    """
    count, h = len(sites), np.diff(sites)
    curved = np.zeros((count, count))
    if count == 2:
        return curved
    slopes = (np.eye(count)[1:] - np.eye(count)[:-1]) / h[:, None]
    right = 6 * (slopes[1:] - slopes[:-1])  # (n − 2, n)
    if count == 3:
        return np.repeat(right / (3 * (h[0] + h[1])), 3, axis=0)
    below, diagonal, above = h[:-1].copy(), 2 * (h[:-1] + h[1:]), h[1:].copy()
    first, last = h[0] / h[1], h[-1] / h[-2]
    diagonal[0] += h[0] * (1 + first)
    above[0] -= h[0] * first
    diagonal[-1] += h[-1] * (1 + last)
    below[-1] -= h[-1] * last
    curved[1:-1] = solve_tridiagonal(below, diagonal, above, right)
    curved[0] = curved[1] + first * (curved[1] - curved[2])
    curved[-1] = curved[-2] + last * (curved[-2] - curved[-3])
    return curved


def solve_tridiagonal(below: Array, diagonal: Array, above: Array, right: Array) -> Array:
    """Solve below_i x_i−1 + diagonal_i x_i + above_i x_i+1 = right_i by elimination, row by row.

    The system must be diagonally dominant, so no pivots are needed. In plain arithmetic the bits are the
    same on every machine, which LAPACK's are not.

    below, diagonal, above: (n,), the first of `below` and the last of `above` unused.
    right: (n, columns).
    """
    diagonal, x = diagonal.copy(), right.copy()
    for i in range(1, len(x)):
        factor = below[i] / diagonal[i - 1]
        diagonal[i] -= factor * above[i - 1]
        x[i] -= factor * x[i - 1]
    x[-1] /= diagonal[-1]
    for i in range(len(x) - 2, -1, -1):
        x[i] = (x[i] - above[i] * x[i + 1]) / diagonal[i]
    return x
