"""From pairs of tokens to offsets: the numbers behind the pictures."""

import numpy as np


def offset_rows(grid):
    """Number of the offset query − key of each pair, (L, L), row-major from the most negative."""
    positions = np.stack(np.unravel_index(np.arange(np.prod(grid)), grid))  # (axes, L)
    offsets = positions[:, :, None] - positions[:, None, :]
    first = np.reshape(grid, (-1, 1, 1)) - 1
    return np.ravel_multi_index(tuple(offsets + first), offset_shape(grid))


def offset_shape(grid):
    """(2h − 1, 2w − 1) or (2L − 1,): how many offsets each axis has."""
    return tuple(2 * size - 1 for size in grid)


def count_offsets(grid):
    """How many pairs have each offset: (2h − 1, 2w − 1) or (2L − 1,), the sum is L²."""
    counts = np.bincount(offset_rows(grid).ravel(), minlength=np.prod(offset_shape(grid)))
    return counts.reshape(offset_shape(grid))


def bias_by_offset(bias, grid):
    """Mean of bias (H, L, L) over all pairs with the same offset: (H, 2h − 1, 2w − 1) or (H, 2L − 1).

    Where the bias depends on the offset only, as in every scheme here, this is its exact value; −inf
    (masked) stays −inf. Raises ValueError when bias and grid do not fit.
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
    """(bias minus each head's mean, True) when zero lies outside the values of every head.

    Else (bias, False). Softmax does not see a constant, but it would hide the differences in a
    picture whose colours are centred at zero (log_cpb: 16 σ(·) is near 8). bias: (..., L, L).
    """
    finite = np.ma.masked_invalid(bias)
    low, high = finite.min((-2, -1)), finite.max((-2, -1))
    if not np.all((low > 0) | (high < 0)):
        return bias, False
    return bias - finite.mean((-2, -1), keepdims=True).data, True
