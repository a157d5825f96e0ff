"""Integer geometry: offsets of a grid (query − key, row-major) and the rows they have in a table."""

import numpy as np


def grid_offsets(q_size, k_size):
    """offset[i, j] = position of query i − position of key j, both row-major: (Lq, Lk, axes)."""
    return _positions(q_size)[:, None] - _positions(k_size)[None]


def offset_rows(offsets, window_size):
    """Row of each offset in a table of Π (2·size − 1) rows, row-major from the most negative offset."""
    first = np.array(window_size) - 1
    return np.ravel_multi_index(tuple(np.moveaxis(offsets + first, -1, 0)), tuple(2 * first + 1))


def with_prefix(index, num_prefix_tokens, prefix_to_patch, patch_to_prefix, prefix_to_prefix):
    """Put `num_prefix_tokens` rows and columns before index; the arguments name query_to_key rows."""
    lq, lk = index.shape
    p = num_prefix_tokens
    full = np.empty((p + lq, p + lk), np.int64)
    full[:p, :p] = prefix_to_prefix
    full[:p, p:] = prefix_to_patch
    full[p:, :p] = patch_to_prefix
    full[p:, p:] = index
    return full


def _positions(size):
    return np.stack(np.unravel_index(np.arange(np.prod(size)), size), axis=-1)
