"""Integer geometry: offsets between two grids (query − key, row-major) and their rows in a table."""

import numpy as np


def grid_offsets(q_size, k_size, q_offset=0, stride=1):
    """offset[i, j] = (stride · position of query i + q_offset) − position of key j: (Lq, Lk, axes)."""
    return (stride * grid_positions(q_size) + q_offset)[:, None] - grid_positions(k_size)[None]


def grid_positions(size):
    """Coordinates of a grid's cells, row-major: (Π size, axes)."""
    return np.stack(np.unravel_index(np.arange(np.prod(size)), size), axis=-1)


def all_offsets(q_size, k_size, q_offset=0):
    """Every offset that occurs between the two grids, row-major from the most negative: (R, axes)."""
    first, count = _offset_range(q_size, k_size, q_offset)
    return grid_positions(count) + first


def offset_rows(offsets, q_size, k_size, q_offset=0):
    """Row of each offset (..., axes) in `all_offsets(q_size, k_size, q_offset)`."""
    first, count = _offset_range(q_size, k_size, q_offset)
    return np.ravel_multi_index(tuple(np.moveaxis(offsets - first, -1, 0)), tuple(count))


def with_prefix(index, num_prefix_tokens, prefix_to_patch, patch_to_prefix=None, prefix_to_prefix=None):
    """Put `num_prefix_tokens` rows and columns before index; the arguments name query_to_key rows.

    One for all when only the first is given.
    """
    if patch_to_prefix is None:
        patch_to_prefix = prefix_to_prefix = prefix_to_patch
    lq, lk = index.shape
    p = num_prefix_tokens
    full = np.empty((p + lq, p + lk), np.int64)
    full[:p, :p] = prefix_to_prefix
    full[:p, p:] = prefix_to_patch
    full[p:, :p] = patch_to_prefix
    full[p:, p:] = index
    return full


def joint_rows(indices):
    """indices (parts, Lq, Lk) -> each combination that occurs (parts, R), index (Lq, Lk) into them."""
    rows, index = np.unique(indices.reshape(len(indices), -1), axis=1, return_inverse=True)
    return rows, index.reshape(indices.shape[1:])


def kept(joints, sizes, find):
    """joints[sizes], found when it is missing; the first (the window's) stays, one other beside it."""
    if sizes not in joints:
        if len(joints) > 1:
            joints.popitem()
        joints[sizes] = find()
    return joints[sizes]


def _offset_range(q_size, k_size, q_offset):
    """(most negative offset, number of offsets), one entry an axis."""
    q_size, k_size = np.array(q_size), np.array(k_size)
    return q_offset + 1 - k_size, q_size + k_size - 1


def tokens_at(places, size, num_prefix_tokens):
    """Numbers in the sequence of the prefix tokens and of these cells (N, axes) of a grid."""
    tokens = num_prefix_tokens + np.ravel_multi_index(tuple(places.T), size)
    return np.concatenate([np.arange(num_prefix_tokens), tokens])
