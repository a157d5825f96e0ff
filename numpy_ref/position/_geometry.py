"""Integer geometry: offsets between two grids (query − key, row-major) and their rows in a table."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from ..types import Array, Size

K = TypeVar("K")
V = TypeVar("V")


def grid_offsets(q_size: Size, k_size: Size, q_offset: int = 0, stride: int = 1) -> Array:
    """Return (stride · position of query i + q_offset) − position of key j: (Lq, Lk, axes)."""
    return (stride * grid_positions(q_size) + q_offset)[:, None] - grid_positions(k_size)[None]


def grid_positions(size: Size) -> Array:
    """Return the coordinates of a grid's cells, row-major: (Π size, axes)."""
    return np.stack(np.unravel_index(np.arange(np.prod(size)), size), axis=-1)


def all_offsets(q_size: Size, k_size: Size, q_offset: int = 0) -> Array:
    """Return every offset that occurs between the two grids, row-major from the lowest: (R, axes)."""
    first, count = _offset_range(q_size, k_size, q_offset)
    return grid_positions(tuple(count)) + first


def offset_rows(offsets: Array, q_size: Size, k_size: Size, q_offset: int = 0) -> Array:
    """Return the row of each offset (…, axes) in `all_offsets(q_size, k_size, q_offset)`."""
    first, count = _offset_range(q_size, k_size, q_offset)
    return np.asarray(np.ravel_multi_index(tuple(np.moveaxis(offsets - first, -1, 0)), tuple(count)))


def with_prefix(
    index: Array,
    num_prefix_tokens: int,
    prefix_to_patch: int,
    patch_to_prefix: int | None = None,
    prefix_to_prefix: int | None = None,
) -> Array:
    """Put `num_prefix_tokens` rows and columns before an index (Lq, Lk).

    The other arguments are the rows of the table that the new pairs read, named query_to_key; the first
    one is for all if only it is given.
    """
    if patch_to_prefix is None or prefix_to_prefix is None:
        patch_to_prefix = prefix_to_prefix = prefix_to_patch
    lq, lk = index.shape
    p = num_prefix_tokens
    full = np.empty((p + lq, p + lk), np.int64)
    full[:p, :p] = prefix_to_prefix
    full[:p, p:] = prefix_to_patch
    full[p:, :p] = patch_to_prefix
    full[p:, p:] = index
    return full


def joint_rows(indices: Array) -> tuple[Array, Array]:
    """Return each combination of rows that occurs (parts, R), and the index (Lq, Lk) into them.

    indices: (parts, Lq, Lk), integers from 0 on.
    """
    rows, index = np.unique(indices.reshape(len(indices), -1), axis=1, return_inverse=True)
    return rows, index.reshape(indices.shape[1:])


def remembered(joints: dict[K, V], sizes: K, find: Callable[[], V]) -> V:
    """Return joints[sizes]; call `find` for it if it is missing.

    The first sizes, the window's, stay; beside them only those asked for last.
    """
    if sizes not in joints:
        if len(joints) > 1:
            joints.popitem()
        joints[sizes] = find()
    return joints[sizes]


def tokens_at(places: Array, size: Size, num_prefix_tokens: int) -> Array:
    """Return places in the sequence: of the prefix tokens, and of the grid's cells (N, axes)."""
    tokens = num_prefix_tokens + np.ravel_multi_index(tuple(places.T), size)
    return np.concatenate([np.arange(num_prefix_tokens), tokens])


def _offset_range(q_size: Size, k_size: Size, q_offset: int) -> tuple[Array, Array]:
    """Return (lowest offset, number of offsets), each with one entry per axis."""
    queries, keys = np.array(q_size), np.array(k_size)
    return q_offset + 1 - keys, queries + keys - 1
