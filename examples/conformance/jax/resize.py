"""Resize a table to another window: a matrix per axis, computed in float64."""

import math

import jax.numpy as jnp
import numpy as np


def resize(table, window_size, new_window_size, method="bicubic", num_prefix_tokens=0):
    """Turn a table (Π (2·size − 1) [+ 3], H) into one for new_window_size; copy the prefix rows."""
    old, new = counts(window_size), counts(new_window_size)
    if len(table) != math.prod(old) + (3 if num_prefix_tokens else 0):
        raise ValueError(f"table: {len(table)} rows do not fit window_size {window_size}")
    grid = table[: math.prod(old)].astype(jnp.float64).reshape(*old, -1)
    for axis, (n, m) in enumerate(zip(old, new, strict=True)):
        if n != m:
            grid = jnp.moveaxis(product(axis_matrix(n, m, method), jnp.moveaxis(grid, axis, 0)), 0, axis)
    grid = grid.reshape(-1, table.shape[1]).astype(table.dtype)
    return jnp.concatenate([grid, table[math.prod(old) :]])


def counts(window_size):
    """Return the number of offsets 2·size − 1 of each axis; an int is a sequence's length."""
    return [2 * size - 1 for size in np.atleast_1d(window_size).tolist()]


def product(matrix, values):
    """Return Σ_j matrix[i, j] values[j, …], leaving out weights of 0, since 0 · ∞ is NaN."""
    matrix = matrix.reshape(*matrix.shape, *[1] * (values.ndim - 1))  # (n', n, 1, …)
    return jnp.where(matrix == 0, 0, matrix * values).sum(axis=1)


def axis_matrix(n, new, method):
    """Return the weights W (n', n) of an axis."""
    if method == "geometric":
        return spline_matrix(geometric_sites(n, new), np.arange(new) - new // 2)
    kernel = {"bicubic": cubic, "linear": lambda x: np.maximum(1 - x, 0)}[method]
    s = ((2 * np.arange(new) + 1) * n - new) / (2 * new)  # place of output i among the inputs
    t = np.floor(s).astype(int)[:, None] + np.arange(-1, 3)  # (n', 4)
    matrix = np.zeros((new, n))
    np.add.at(matrix, (np.arange(new)[:, None], t.clip(0, n - 1)), kernel(abs(s[:, None] - t)))
    return matrix


def cubic(x, a=-0.75):
    """Return the weight of an input at distance x ≥ 0."""
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


def geometric_sites(n, new):
    """Return the n sites 0, ±1, ±(1 + r), …, ascending, with the r that bisection finds."""

    def sums(r):  # 1, 1 + r, …: n // 2 numbers
        return [sum(r**power for power in range(count)) for count in range(1, n // 2 + 1)]

    low, high, r = 1.01, 1.5, 1.5
    while high - low > 1e-6:
        r = (low + high) / 2
        if (sums(r) or [0])[-1] > new // 2:
            high = r
        else:
            low = r
    right = np.array(sums(r), float)
    return np.concatenate([-right[::-1], [0.0], right])


def spline_matrix(sites, at):
    """Return the weights (len(at), n) of the not-a-knot spline through the sites."""
    n = len(sites)
    if n == 1:
        return np.ones((len(at), 1))
    h, eye = np.diff(sites), np.eye(n)
    curved = second_derivatives(h)  # (n, n): one column per site
    x = np.clip(at, sites[0], sites[-1])
    i = np.searchsorted(sites[:-1], x, side="right") - 1  # the piece that each place lies in
    t, u, h = (x - sites[i])[:, None], (sites[i + 1] - x)[:, None], h[i][:, None]
    bent = u * (u**2 - h**2) * curved[i] + t * (t**2 - h**2) * curved[i + 1]
    return (u * eye[i] + t * eye[i + 1]) / h + bent / (6 * h)


def second_derivatives(h):
    """Return M (n, n), linear in the values at the sites, from the n − 1 distances h."""
    n = len(h) + 1
    inner = np.arange(1, n - 1)
    slopes = (np.eye(n)[1:] - np.eye(n)[:-1]) / h[:, None]  # (n − 1, n): of the straight pieces
    left, right = np.zeros((n, n)), np.zeros((n, n))
    left[inner, inner - 1], left[inner, inner + 1] = h[:-1], h[1:]
    left[inner, inner] = 2 * (h[:-1] + h[1:])
    right[inner] = 6 * np.diff(slopes, axis=0)
    if n == 3:
        left[0], left[2] = [1, -1, 0], [0, 1, -1]
    else:
        first, last = h[0] / h[1], h[-1] / h[-2]
        left[0, :3], left[-1, -3:] = [1, -1 - first, first], [last, -1 - last, 1]
    return np.linalg.solve(left, right)
