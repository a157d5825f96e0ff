"""Integer geometry, an axis at a time: a matrix (q, k) for each axis of a grid, then all axes as one."""

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from ..types import Size

K = TypeVar("K")
V = TypeVar("V")
Device = torch.device | None


def axis_range(q: int, k: int, q_offset: int = 0, stride: int = 1, device: Device = None) -> Tensor:
    """Return every offset that occurs along an axis, from the lowest: (1, stride · (q − 1) + k)."""
    return torch.arange(q_offset + 1 - k, q_offset + stride * (q - 1) + 1, device=device)[None]


def axis_offsets(q: int, k: int, q_offset: int = 0, stride: int = 1, device: Device = None) -> Tensor:
    """Return offset[i, j] = stride · i + q_offset − j, (q, k), made on the device.

    Row i is a window of k consecutive numbers, read backwards; the window moves by `stride` per row.
    """
    numbers = axis_range(q, k, q_offset, stride, device)[0]
    first, back = torch.arange(q, device=device) * stride, torch.arange(k - 1, -1, -1, device=device)
    return numbers[first[:, None] + back]


def spread(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Repeat two axes' matrices, (q, k) and (q', k'), over the grid: (q · q', k · k') each.

    The grid is row-major, so the second axis changes fastest.
    """
    blocks = first.repeat_interleave(second.shape[0], 0).repeat_interleave(second.shape[1], 1)
    return blocks, second.repeat(first.shape)


def row_major(axes: list[Tensor], counts: Sequence[int]) -> Tensor:
    """Return which row of a row-major table each pair reads, given its row along each axis: (Π q, Π k).

    axes: a matrix (q, k) per axis, rows in [0, count).
    counts: number of rows along each axis.
    """
    rows = axes[0].new_zeros(1, 1)
    for axis, count in zip(axes, counts, strict=True):
        rows = torch.add(*spread(count * rows, axis))
    return rows


def offset_rows(q_size: Size, k_size: Size, device: Device = None) -> tuple[Tensor, int]:
    """Return each pair's row in `all_offsets`, (Π q, Π k), and the number of rows."""
    sizes = list(zip(q_size, k_size, strict=True))
    counts = [q + k - 1 for q, k in sizes]
    axes = [axis_offsets(q, k, device=device) + k - 1 for q, k in sizes]
    return row_major(axes, counts), math.prod(counts)


def window_rows(
    q_size: Size, k_size: Size, window_size: Size, q_offset: int = 0, device: Device = None
) -> Tensor:
    """Return each pair's row among the offsets of a window, Π (2 · size − 1) rows: (Π q, Π k)."""
    sizes = zip(q_size, k_size, window_size, strict=True)
    axes = [axis_offsets(q, k, q_offset, device=device) + size - 1 for q, k, size in sizes]
    return row_major(axes, [2 * size - 1 for size in window_size])


def all_offsets(q_size: Size, k_size: Size, q_offset: int = 0, device: Device = None) -> Tensor:
    """Return every offset that occurs between the two grids, row-major from the lowest: (R, axes)."""
    sizes = zip(q_size, k_size, strict=True)
    axes = [torch.arange(1 - k, q, device=device) + q_offset for q, k in sizes]
    return torch.cartesian_prod(*axes).reshape(-1, len(axes))


def with_prefix(
    index: Tensor,
    num_prefix_tokens: int,
    prefix_to_patch: int,
    patch_to_prefix: int | None = None,
    prefix_to_prefix: int | None = None,
) -> Tensor:
    """Put `num_prefix_tokens` rows and columns before an index (Lq, Lk).

    The other arguments are the rows of the table that the new pairs read, named query_to_key; the first
    one is for all if only it is given.
    """
    if patch_to_prefix is None or prefix_to_prefix is None:
        patch_to_prefix = prefix_to_prefix = prefix_to_patch
    if not num_prefix_tokens:
        return index
    p, (q, k) = num_prefix_tokens, index.shape
    # zeros plus the row: `full` would fix a row that depends on an open length of torch.export
    top = [index.new_zeros(p, p) + prefix_to_prefix, index.new_zeros(p, k) + prefix_to_patch]
    rest = [index.new_zeros(q, p) + patch_to_prefix, index]
    return torch.cat([torch.cat(top, 1), torch.cat(rest, 1)])


def joint_rows(indices: Tensor) -> tuple[Tensor, Tensor]:
    """Return each combination of rows that occurs (parts, R), and the index (Lq, Lk) into them.

    indices: (parts, Lq, Lk), integers from 0 on.
    """
    rows, index = indices.new_zeros(0, 1), torch.zeros_like(indices[0])
    for part in indices:
        count = part.max() + 1
        found, index = torch.unique(count * index + part, return_inverse=True)
        rows = torch.cat([rows[:, found // count], (found % count)[None]])
    return rows, index


def remembered(joints: dict[K, V], sizes: K, find: Callable[[], V]) -> V:
    """Return joints[sizes]; call `find` for it if it is missing. Only those asked for last are kept."""
    if sizes not in joints:
        joints.clear()
        joints[sizes] = find()
    return joints[sizes]


def tokens_at(size: Size, num_prefix_tokens: int, along_axis: slice, device: Device = None) -> Tensor:
    """Return places in the sequence: of the prefix tokens, and of the grid's tokens in the slices.

    along_axis: the slice of each axis.
    """
    places = torch.arange(num_prefix_tokens + math.prod(size), device=device)
    grid = places[num_prefix_tokens:].reshape(size)
    return torch.cat([places[:num_prefix_tokens], grid[(along_axis,) * len(size)].flatten()])
