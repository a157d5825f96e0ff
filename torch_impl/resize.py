"""A bias table, or a position embedding, for another window."""

import math
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional

from .checks import MOST_PAIRS, as_sizes, check_choice, check_natural
from .gate import check_shape, floating
from .spline import spline_matrix
from .types import Size, SizeLike

Method = Literal["bicubic", "geometric", "linear"]
METHODS = get_args(Method)
GRID_METHODS = ("bicubic", "linear")  # "geometric" needs offsets, which have a middle


def resize_table(
    table: Tensor,
    window_size: SizeLike,
    new_window_size: SizeLike,
    method: Method = "bicubic",
    num_prefix_tokens: int = 0,
) -> Tensor:
    """Interpolate a table of offsets for another window: out = (W_1 ⊗ W_2 ⊗ …) table.

    W (2 · new − 1, 2 · old − 1) is a matrix per axis. Rows of prefix tokens, and an axis that keeps its
    size, are copied. Computed in float64, rounded once.

    table: (R, H), R = Π (2 · size − 1) rows, row-major from the lowest offset, and 3 rows more with
        prefix tokens, as "1d", "2d" and "3d" have them.
    window_size, new_window_size: tokens along each axis, an int or a tuple.
    method: "bicubic" (Swin) stretches the table with the window, by Keys' cubic with a = −0.75, as
        `interpolate(mode="bicubic", align_corners=False)` of PyTorch, on any number of axes. "linear"
        does so linearly. "geometric" (BEiT) keeps the near offsets near: the old rows move to distances
        1, 1 + q, 1 + q + q², …, q such that the last is the new window's last offset, and a cubic spline
        goes through them.
    num_prefix_tokens: number of prefix tokens.
    Returns (R', H). Raises TypeError/ValueError naming the argument that does not fit.
    Source: arXiv 2103.14030 (bicubic); the code of BEiT, arXiv 2106.08254 (geometric); Keys 1981.
    """
    (table,) = floating(table=table)
    sizes = _both_sizes("window_size", window_size, new_window_size)
    check_choice("method", method, METHODS)
    extra = 3 if check_natural(num_prefix_tokens=num_prefix_tokens) else 0
    old, new = ([2 * size - 1 for size in window] for window in sizes)
    check_shape("table", table, (math.prod(old) + extra, None))
    offsets, prefix = table.split([math.prod(old), extra])
    return torch.cat([_resized(offsets, old, new, method), prefix])


def resize_pos_embed(
    pos_embed: Tensor,
    grid_size: SizeLike,
    new_grid_size: SizeLike,
    method: Method = "bicubic",
    num_prefix_tokens: int = 0,
) -> Tensor:
    """Interpolate a learned position embedding for another grid: out = (W_1 ⊗ W_2 ⊗ …) pos_embed.

    pos_embed: (1, P + L, D), prefix tokens first, then the places of the grid row-major.
    grid_size, new_grid_size: tokens along each axis, an int or a tuple.
    method: "bicubic" or "linear", as `resize_table`.
    num_prefix_tokens: number P of prefix tokens, whose rows are copied.
    Returns (1, P + L', D). Raises TypeError/ValueError naming the argument that does not fit.
    """
    (pos_embed,) = floating(pos_embed=pos_embed)
    check_choice("method", method, GRID_METHODS)
    check_natural(num_prefix_tokens=num_prefix_tokens)
    old, new = _both_sizes("grid_size", grid_size, new_grid_size)
    check_shape("pos_embed", pos_embed, (1, num_prefix_tokens + math.prod(old), None))
    prefix, places = pos_embed[0].tensor_split([num_prefix_tokens])
    return torch.cat([prefix, _resized(places, old, new, method)])[None]


def _resized(rows: Tensor, old: Size | list[int], new: Size | list[int], method: Method) -> Tensor:
    """Interpolate rows (Π old, H) of a grid, an axis after the other: (Π new, H)."""
    grid = rows.double().unflatten(0, list(old))
    for axis, (before, after) in enumerate(zip(old, new, strict=True)):
        if before != after:
            lines = grid.movedim(axis, -1)
            flat = _interpolated(lines.reshape(-1, before), after, method)
            grid = flat.reshape(*lines.shape[:-1], after).movedim(-1, axis)
    return grid.flatten(0, -2).to(rows.dtype)


def _interpolated(lines: Tensor, new: int, method: Method) -> Tensor:
    """Interpolate each line (N, old) -> (N, new)."""
    if not len(lines):  # PyTorch's refuses to
        return lines.new_zeros(0, new)
    if method == "linear":
        return functional.interpolate(lines[None], new, mode="linear")[0]
    if method == "bicubic":  # PyTorch's is for pictures: these are one pixel wide
        pictures = lines[None, :, :, None]
        return functional.interpolate(pictures, (new, 1), mode="bicubic")[0, :, :, 0]
    half = new // 2
    places = torch.linspace(-half, half, new, dtype=torch.float64)
    matrix = spline_matrix(geometric_sites(lines.shape[1], new), places)
    return functional.linear(lines, matrix.to(lines.device))


def geometric_sites(old: int, new: int) -> Tensor:
    """Return the places (old,) of the old offsets: 0 in the middle, then ±1, ±(1 + q), ±(1 + q + q²), …

    q in [1.01, 1.5] is found by bisection, to 1e-6 as in BEiT's code, so that the last place is the last
    of the new offsets, new // 2. Beyond that interval it is nearly the bound.

    old, new: numbers of offsets, odd.
    """
    count, low, width = old // 2, 1.01, 0.49
    ratio = low + width
    while width > 1e-6:
        width /= 2
        ratio = low + width
        if (ratio**count - 1) / (ratio - 1) <= new // 2:
            low = ratio
    powers = ratio ** torch.arange(count, dtype=torch.float64)
    right = powers.cumsum(0)
    return torch.cat([-right.flip(0), right.new_zeros(1), right])


def _both_sizes(name: str, size: SizeLike, new_size: SizeLike) -> tuple[Size, Size]:
    """Return both sizes as tuples of as many axes; raises TypeError/ValueError."""
    old = as_sizes(name, size)
    new = as_sizes(f"new_{name}", new_size, len(old))
    for each, given in ((name, old), (f"new_{name}", new)):
        if math.prod(2 * n - 1 for n in given) > MOST_PAIRS:
            raise ValueError(f"{each} is {given}, expected at most {MOST_PAIRS} offsets")
    return old, new
