"""A bias table, or a position embedding, for another window; and the adjoints."""

import math
from collections.abc import Callable, Mapping
from typing import Literal, get_args

import numpy as np

from .checks import MOST_PAIRS, as_sizes, check_choice, check_natural, check_shape
from .gate import floating
from .spline import spline_matrix
from .types import Array, Size, SizeLike

Method = Literal["bicubic", "geometric", "linear"]
METHODS = get_args(Method)
GRID_METHODS = ("bicubic", "linear")  # "geometric" needs offsets, which have a middle


def resize_table(
    table: Array,
    window_size: SizeLike,
    new_window_size: SizeLike,
    method: Method = "bicubic",
    num_prefix_tokens: int = 0,
) -> Array:
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
    old, new, extra = _counts(window_size, new_window_size, method, num_prefix_tokens)
    check_shape("table", table, (math.prod(old) + extra, None))
    return _multiplied(table, old, axis_matrices(old, new, method))


def resize_table_backward(
    dout: Array,
    window_size: SizeLike,
    new_window_size: SizeLike,
    method: Method = "bicubic",
    num_prefix_tokens: int = 0,
) -> Array:
    """Return dtable (R, H) = (W_1 ⊗ W_2 ⊗ …)ᵀ dout; those of prefix tokens are copied.

    dout: (R', H). The other arguments are those of `resize_table`.
    """
    (dout,) = floating(dout=dout)
    old, new, extra = _counts(window_size, new_window_size, method, num_prefix_tokens)
    check_shape("dout", dout, (math.prod(new) + extra, None))
    return _multiplied(dout, new, _transposed(axis_matrices(old, new, method)))


def resize_pos_embed(
    pos_embed: Array,
    grid_size: SizeLike,
    new_grid_size: SizeLike,
    method: Method = "bicubic",
    num_prefix_tokens: int = 0,
) -> Array:
    """Interpolate a learned position embedding for another grid: out = (W_1 ⊗ W_2 ⊗ …) pos_embed.

    pos_embed: (1, P + L, D), prefix tokens first, then the places of the grid row-major.
    grid_size, new_grid_size: tokens along each axis, an int or a tuple.
    method: "bicubic" or "linear", as `resize_table`.
    num_prefix_tokens: number P of prefix tokens, whose rows are copied.
    Returns (1, P + L', D). Raises TypeError/ValueError naming the argument that does not fit.
    """
    (pos_embed,) = floating(pos_embed=pos_embed)
    old, new = _grids(grid_size, new_grid_size, method, num_prefix_tokens)
    check_shape("pos_embed", pos_embed, (1, num_prefix_tokens + math.prod(old), None))
    return _multiplied_places(pos_embed, old, axis_matrices(old, new, method), num_prefix_tokens)


def resize_pos_embed_backward(
    dout: Array,
    grid_size: SizeLike,
    new_grid_size: SizeLike,
    method: Method = "bicubic",
    num_prefix_tokens: int = 0,
) -> Array:
    """Return dpos_embed (1, P + L, D) = (W_1 ⊗ W_2 ⊗ …)ᵀ dout.

    dout: (1, P + L', D). The other arguments are those of `resize_pos_embed`.
    """
    (dout,) = floating(dout=dout)
    old, new = _grids(grid_size, new_grid_size, method, num_prefix_tokens)
    check_shape("dout", dout, (1, num_prefix_tokens + math.prod(new), None))
    matrices = _transposed(axis_matrices(old, new, method))
    return _multiplied_places(dout, new, matrices, num_prefix_tokens)


def axis_matrices(old: Size, new: Size, method: Method) -> dict[int, Array]:
    """Return {axis: W (new, old)} of the axes whose length changes, in float64."""
    lengths = enumerate(zip(old, new, strict=True))
    return {axis: _axis_matrix(*each, method) for axis, each in lengths if each[0] != each[1]}


def _axis_matrix(old: int, new: int, method: Method) -> Array:
    if method == "geometric":
        places = np.arange(new, dtype=np.float64) - new // 2
        return spline_matrix(geometric_sites(old, new), places)
    return _kernel_matrix(old, new, *((_keys, 2) if method == "bicubic" else (_triangle, 1)))


def _kernel_matrix(old: int, new: int, kernel: Callable[[Array], Array], reach: int) -> Array:
    """Return W[i, j] = Σ kernel(s_i − n) over the n that are j when clipped to [0, old).

    s_i = (i + ½) old / new − ½ is the place of output i among the inputs: both cover the same length.

    kernel: is 0 beyond `reach`.
    """
    place = ((2 * np.arange(new) + 1) * old - new) / (2 * new)
    taps = np.floor(place).astype(np.int64)[:, None] + np.arange(1 - reach, reach + 1)
    matrix = np.zeros((new, old))
    rows = np.arange(new)[:, None]
    np.add.at(matrix, (rows, np.clip(taps, 0, old - 1)), kernel(np.abs(place[:, None] - taps)))
    return matrix


def _keys(x: Array) -> Array:
    """Return Keys' cubic of distances x in [0, 2], with a = −0.75."""
    a = -0.75
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    return np.where(x <= 1, near, a * (((x - 5) * x + 8) * x - 4))


def _triangle(x: Array) -> Array:
    return np.maximum(1 - x, 0)


def geometric_sites(old: int, new: int) -> Array:
    """Return the places (old,) of the old offsets: 0 in the middle, then ±1, ±(1 + q), ±(1 + q + q²), …

    q in [1.01, 1.5] is found by bisection, to 1e-6 as in BEiT's code, so that the last place is the last
    of the new offsets, new // 2. Beyond that interval it is nearly the bound.

    old, new: numbers of offsets, odd.
    """
    low, high, ratio = 1.01, 1.5, 1.5
    while high - low > 1e-6:
        ratio = (low + high) / 2
        if _geometric_sums(ratio, old // 2)[-1] > new // 2:
            high = ratio
        else:
            low = ratio
    sums = np.array(_geometric_sums(ratio, old // 2))
    return np.concatenate([-sums[:0:-1], sums])


def _geometric_sums(ratio: float, count: int) -> list[float]:
    """Return [0, 1, 1 + ratio, …], count + 1 sums, without powers: the bits are the same everywhere."""
    sums, power = [0.0], 1.0
    for _ in range(count):
        sums.append(sums[-1] + power)
        power *= ratio
    return sums


def _multiplied(rows: Array, size: Size, matrices: Mapping[int, Array]) -> Array:
    """Multiply the first Π size rows with the matrix of each axis; copy the others.

    Each sum is added up term by term: the bits of a product in BLAS depend on its threads.
    """
    count, columns = math.prod(size), rows.shape[1]
    grid = rows[:count].reshape(*size, columns)  # the product with a float64 matrix is float64
    for axis, matrix in matrices.items():
        inputs = np.moveaxis(grid, axis, 0)
        outputs = np.zeros((len(matrix), *inputs.shape[1:]))
        for weights, each in zip(matrix.T, inputs, strict=True):
            used = np.flatnonzero(weights)  # 0 · ∞ is NaN
            outputs[used] += np.multiply.outer(weights[used], each)
        grid = np.moveaxis(outputs, 0, axis)
    resized = grid.reshape(math.prod(grid.shape[:-1]), columns).astype(rows.dtype)
    return np.concatenate([resized, rows[count:]])


def _multiplied_places(x: Array, size: Size, matrices: Mapping[int, Array], prefix: int) -> Array:
    return np.concatenate([x[0, :prefix], _multiplied(x[0, prefix:], size, matrices)])[None]


def _transposed(matrices: Mapping[int, Array]) -> dict[int, Array]:
    return {axis: matrix.T for axis, matrix in matrices.items()}


def _counts(
    window_size: SizeLike, new_window_size: SizeLike, method: Method, num_prefix_tokens: int
) -> tuple[Size, Size, int]:
    """Return the offsets along each axis of both windows, and the number of rows of prefix tokens."""
    sizes = _both_sizes("window_size", window_size, new_window_size)
    check_choice("method", method, METHODS)
    extra = 3 if check_natural(num_prefix_tokens=num_prefix_tokens) else 0
    old, new = (tuple(2 * size - 1 for size in window) for window in sizes)
    return old, new, extra


def _grids(
    grid_size: SizeLike, new_grid_size: SizeLike, method: Method, num_prefix_tokens: int
) -> tuple[Size, Size]:
    check_choice("method", method, GRID_METHODS)
    check_natural(num_prefix_tokens=num_prefix_tokens)
    return _both_sizes("grid_size", grid_size, new_grid_size)


def _both_sizes(name: str, size: SizeLike, new_size: SizeLike) -> tuple[Size, Size]:
    """Return both sizes as tuples of as many axes; raises TypeError/ValueError."""
    old = as_sizes(name, size)
    new = as_sizes(f"new_{name}", new_size, len(old))
    for each, given in ((name, old), (f"new_{name}", new)):
        if math.prod(2 * n - 1 for n in given) > MOST_PAIRS:
            raise ValueError(f"{each} is {given}, expected at most {MOST_PAIRS} offsets")
    return old, new
