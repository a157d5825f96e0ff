"""A bias over offsets instead of pairs of tokens: the numbers that the pictures show."""

import numpy as np


def offset_rows(grid):
    """Return the number of each pair's offset query − key, (L, L), row-major from the most negative."""
    positions = np.stack(np.unravel_index(np.arange(np.prod(grid)), grid))  # (axes, L)
    offsets = positions[:, :, None] - positions[:, None, :]
    first = np.reshape(grid, (-1, 1, 1)) - 1
    return np.ravel_multi_index(tuple(offsets + first), offset_shape(grid))


def offset_shape(grid):
    """Return how many offsets each axis has: (2h − 1, 2w − 1) or (2L − 1,)."""
    return tuple(2 * size - 1 for size in grid)


def count_offsets(grid):
    """Count the pairs with each offset: (2h − 1, 2w − 1) or (2L − 1,), the sum is L²."""
    counts = np.bincount(offset_rows(grid).ravel(), minlength=np.prod(offset_shape(grid)))
    return counts.reshape(offset_shape(grid))


def bias_by_offset(bias, grid):
    """Average bias (H, L, L) over the pairs with the same offset: (H, 2h − 1, 2w − 1) or (H, 2L − 1).

    For a bias that depends on the offset only, the mean is its value; −inf (masked) stays −inf.
    Raises ValueError when the shapes of bias and grid do not match.
    """
    bias = np.asarray(bias)
    length = int(np.prod(grid))
    if bias.shape[1:] != (length, length):
        raise ValueError(
            f"bias has shape {bias.shape}, expected (H, {length}, {length}) for the grid {tuple(grid)}; "
            "cut the prefix tokens off"
        )
    rows, counts = offset_rows(grid).ravel(), count_offsets(grid)
    sums = [np.bincount(rows, weights=head.ravel(), minlength=counts.size) for head in bias]
    return np.stack(sums).reshape(-1, *counts.shape) / counts


def without_level(bias):
    """Subtract each head's mean if zero lies outside the values of every head.

    Returns (bias minus mean, True) or (bias, False); bias: (..., L, L). Softmax ignores a constant, but
    with colours centred at zero it would hide the differences (log_cpb: 16 σ(·) is near 8).
    """
    finite = np.ma.masked_invalid(bias)
    low, high = finite.min((-2, -1)), finite.max((-2, -1))
    if not np.all((low > 0) | (high < 0)):
        return bias, False
    return bias - finite.mean((-2, -1), keepdims=True).data, True
