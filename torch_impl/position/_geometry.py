"""Integer geometry: offsets of a grid (query − key, row-major) and the rows they have in a table."""

import torch


def grid_offsets(q_size, k_size):
    """offset[i, j] = position of query i − position of key j, both row-major: (Lq, Lk, axes)."""
    return _positions(q_size).unsqueeze(1) - _positions(k_size).unsqueeze(0)


def offset_rows(offsets, window_size):
    """Row of each offset: Σ_a (offset_a + size_a − 1) · stride_a, strides Π of later 2·size − 1."""
    rows = torch.zeros(offsets.shape[:-1], dtype=torch.long)
    for axis, size in enumerate(window_size):
        rows = rows * (2 * size - 1) + offsets[..., axis] + size - 1
    return rows


def with_prefix(index, num_prefix_tokens, prefix_to_patch, patch_to_prefix, prefix_to_prefix):
    """Put `num_prefix_tokens` rows and columns before index; the arguments name query_to_key rows."""
    p = num_prefix_tokens
    left = torch.full((index.shape[0], p), patch_to_prefix)
    top = torch.full((p, p + index.shape[1]), prefix_to_patch)
    top[:, :p] = prefix_to_prefix
    return torch.cat([top, torch.cat([left, index], dim=1)], dim=0)


def _positions(size):
    return torch.cartesian_prod(*(torch.arange(s) for s in size)).reshape(-1, len(size))
