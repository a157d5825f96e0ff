"""Integer geometry: offsets between two grids (query − key, row-major) and their rows in a table."""

import torch


def grid_offsets(q_size, k_size, q_offset=0, stride=1):
    """offset[i, j] = (stride · position of query i + q_offset) − position of key j: (Lq, Lk, axes)."""
    queries = stride * grid_positions(q_size) + q_offset
    return queries.unsqueeze(1) - grid_positions(k_size).unsqueeze(0)


def grid_positions(size):
    """Coordinates of a grid's cells, row-major: (Π size, axes)."""
    return torch.cartesian_prod(*(torch.arange(s) for s in size)).reshape(-1, len(size))


def all_offsets(q_size, k_size, q_offset=0):
    """Every offset that occurs between the two grids, row-major from the most negative: (R, axes)."""
    axes = [torch.arange(1 - k, q) + q_offset for q, k in zip(q_size, k_size, strict=True)]
    return torch.cartesian_prod(*axes).reshape(-1, len(axes))


def offset_rows(offsets, q_size, k_size, q_offset=0):
    """Row in `all_offsets` of each offset: Σ_a (offset_a − first_a) · stride_a, row-major."""
    rows = torch.zeros(offsets.shape[:-1], dtype=torch.long)
    for axis, (q, k) in enumerate(zip(q_size, k_size, strict=True)):
        rows = rows * (q + k - 1) + offsets[..., axis] - (q_offset + 1 - k)
    return rows


def joint_rows(indices):
    """indices (parts, Lq, Lk) -> each combination that occurs (parts, R), index (Lq, Lk) into them."""
    rows, index = torch.unique(indices.flatten(1), dim=1, return_inverse=True)
    return rows, index.reshape(indices.shape[1:])


def kept(joints, sizes, find):
    """joints[sizes], found when it is missing; the first (the window's) stays, one other beside it."""
    if sizes not in joints:
        if len(joints) > 1:
            joints.popitem()
        joints[sizes] = find()
    return joints[sizes]


def tokens_at(places, size, num_prefix_tokens):
    """Numbers in the sequence of the prefix tokens and of these cells (N, axes) of a grid."""
    number = torch.zeros(len(places), dtype=torch.long)
    for axis, length in enumerate(size):
        number = number * length + places[:, axis]
    return torch.cat([torch.arange(num_prefix_tokens), num_prefix_tokens + number])


def with_prefix(index, num_prefix_tokens, prefix_to_patch, patch_to_prefix=None, prefix_to_prefix=None):
    """Put `num_prefix_tokens` rows and columns before index; the arguments name query_to_key rows.

    One for all when only the first is given.
    """
    if patch_to_prefix is None:
        patch_to_prefix = prefix_to_prefix = prefix_to_patch
    p = num_prefix_tokens
    left = torch.full((index.shape[0], p), patch_to_prefix)
    top = torch.full((p, p + index.shape[1]), prefix_to_patch)
    top[:, :p] = prefix_to_prefix
    return torch.cat([top, torch.cat([left, index], dim=1)], dim=0)
