"""C = S + A B for the small and oblong matrices of a transformer, accumulated in registers.

A: any strides. B: packed in panels of `PANEL_BYTES` a row (b_k = 0), so that a panel stays in cache, or
rows b_k apart where they are whole vectors, so that none reaches beyond a row. C: rows of any distance.
S: what C begins with, nothing at address 0; C itself goes on adding up, rows 0 apart are a bias.
All are given as addresses, strides in elements. An element of C is summed over k in order, DEPTH terms
at a time, whatever the tile it falls in, so how the work is cut up never changes a bit.
"""

from functools import cache

import numpy as np
from llvmlite import ir
from numba import config, njit, types
from numba.extending import intrinsic

from .ir import INT64, REGISTER_BYTES
from .jit import called_by_address, code_address
from .simd import view
from .tile import ACCUMULATORS, MOST_ROWS, PANEL_BYTES, PANEL_VECTORS, multiply_tiles

DEPTH = 512  # terms in one chain of additions: thousands of them would round too often
WORDS = (types.int64,) * 12  # the arguments of a compiled product


def padded(columns, dtype):
    """Columns rounded up to whole vectors; K packed rows have K · padded(columns) elements."""
    count = REGISTER_BYTES // np.dtype(dtype).itemsize
    return -(-columns // count) * count


def panels_of(columns, dtype):
    """Into how many panels so many columns are packed."""
    return -(-columns * np.dtype(dtype).itemsize // PANEL_BYTES)


@njit(inline="always")
def _panels(like, size, rows, columns, depth, a, a_row, a_k, b, b_k, c, c_row, s, s_row):
    """Panel by panel, and in each tile by tile; tiles of nearly equal height, 4, 2 or 1 vectors wide."""
    count = REGISTER_BYTES // size
    panel = PANEL_VECTORS * count
    for j in range(0, columns, panel):
        width = min(panel, columns - j)
        vectors = (width + count - 1) // count
        b_j, b_row = (b + j * size, b_k) if b_k else (b + j * depth * size, vectors * count)
        start = 0
        while start < vectors:
            wide = vectors - start if vectors - start != 3 else 2
            last = min(width - start * count - (wide - 1) * count, count)
            most = min(MOST_ROWS, ACCUMULATORS // wide)
            tiles = max(1, (rows + most - 1) // most)
            height, taller = rows // tiles, rows % tiles
            column = (j + start * count) * size
            for k in range(0, max(depth, 1), DEPTH):
                before, row = (c, c_row) if k else (s, s_row)
                b_now = b_j + (start * count + k * b_row) * size
                i = 0
                for high, some in ((height + 1, taller), (height, tiles - taller)):
                    if some:
                        multiply_tiles(
                            like, high, wide, some, min(DEPTH, depth - k),
                            a + (i * a_row + k * a_k) * size, a_row, a_k, b_now, b_row,
                            c + i * c_row * size + column, c_row,
                            before + i * row * size + column if before else 0, row, last,
                        )  # fmt: skip
                    i += high * some
            start += wide


@called_by_address
def _product32(rows, columns, depth, a, a_row, a_k, b, b_k, c, c_row, s, s_row):
    _panels(np.float32(0), 4, rows, columns, depth, a, a_row, a_k, b, b_k, c, c_row, s, s_row)


@called_by_address
def _product64(rows, columns, depth, a, a_row, a_k, b, b_k, c, c_row, s, s_row):
    _panels(np.float64(0), 8, rows, columns, depth, a, a_row, a_k, b, b_k, c, c_row, s, s_row)


@cache
def product_for(dtype):
    """Return what kernels pass to `product`: the address of the compiled product for this dtype.

    Compiled once and called by address, it is not compiled again into every kernel that uses it.
    """
    if config.DISABLE_JIT:
        return np.dtype(dtype)
    return code_address(_product32 if dtype == np.float32 else _product64, types.void(*WORDS))


@intrinsic
def _product(typingctx, compiled, rows, columns, depth, a, a_row, a_k, b, b_k, c, c_row, s, s_row):
    def codegen(context, builder, sig, args):
        kind = ir.FunctionType(ir.VoidType(), [INT64] * len(WORDS))
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 13), codegen


def _product_without_jit(dtype, rows, columns, depth, a, a_row, a_k, b, b_k, c, c_row, s, s_row):
    size, panel = dtype.itemsize, PANEL_BYTES // dtype.itemsize

    def matrix(start, shape, strides):
        count = 1 + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
        flat = view(np.empty(0, dtype), start, count)
        return np.lib.stride_tricks.as_strided(flat, shape, [s * size for s in strides])

    left = matrix(a, (rows, depth), (a_row, a_k))
    for j in range(0, columns, panel):
        width = min(panel, columns - j)
        start, row = (b + j * size, b_k) if b_k else (b + j * depth * size, padded(width, dtype))
        right = matrix(start, (depth, width), (row, 1))
        out = matrix(c + j * size, (rows, width), (c_row, 1))
        before = matrix(s + j * size, (rows, width), (s_row, 1)) if s else 0
        out[...] = before + left @ right


product = _product_without_jit if config.DISABLE_JIT else _product
