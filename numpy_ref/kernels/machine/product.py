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

from .ir import (
    INT64,
    REGISTER_BYTES,
    VectorType,
    fma_ir,
    load_first_ir,
    splat_ir,
    store_first_ir,
    suffix,
    vector_ir,
)
from .jit import called_by_address, code_address
from .simd import view
from .target import REGISTERS


def tile_size(registers):
    """(accumulators of a tile, vectors in a row of it).

    They share the registers with a row of B and an element of A: 12 + 2 + 1 of 16 or 24 + 4 + 1 of 32,
    AVX-512's and ARM's. With 28 a tile spills, also where AVX-512 could read the element from memory.
    """
    return (12, 2) if registers < 32 else (24, 4)


ACCUMULATORS, PANEL_VECTORS = tile_size(REGISTERS)
WIDTHS = tuple(v for v in (1, 2, 4) if v <= PANEL_VECTORS)  # of a tile, in vectors
MOST_ROWS = 7  # of a tile: more gain nothing and take long to compile
PANEL_BYTES = PANEL_VECTORS * REGISTER_BYTES
DEPTH = 512  # terms in one chain of additions: thousands of them would round too often
WORDS = (types.int64,) * 12  # the arguments of a compiled product


def padded(columns, dtype):
    """Columns rounded up to whole vectors; K packed rows have K · padded(columns) elements."""
    count = REGISTER_BYTES // np.dtype(dtype).itemsize
    return -(-columns // count) * count


def panels_of(columns, dtype):
    """Into how many panels so many columns are packed."""
    return -(-columns * np.dtype(dtype).itemsize // PANEL_BYTES)


def _tiles_function(module, vector):
    """tiles(rows, vectors, number, K, a, a_row, a_k, b, b_k, c, c_row, s, s_row, last) for all sizes.

    That number of tiles one below the other, which share b. last: lanes of the last vector of each row.
    """
    vec, item = vector_ir(vector), vector.itemsize
    pointer = vec.element.as_pointer()
    name = f"numpy_ref_tiles_{suffix(vec)}"
    if name in module.globals:
        return module.globals[name]
    arguments = [INT64] * 4 + [pointer, INT64, INT64] + [pointer, INT64] * 3 + [INT64]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), arguments), name)
    function.linkage = "internal"
    rows, vectors = function.args[:2]
    start, done = function.append_basic_block(), function.append_basic_block()
    ir.IRBuilder(done).ret_void()
    builder = ir.IRBuilder(start)
    choice = builder.switch(builder.add(builder.mul(vectors, INT64(64)), rows), done)
    for v in WIDTHS:
        for r in range(1, min(MOST_ROWS, ACCUMULATORS // v) + 1):
            block = function.append_basic_block()
            choice.add_case(INT64(64 * v + r), block)
            _tile_body(function, block, done, (r, v), vec, item)
    return function


def _tile_body(function, block, done, size, vec, item):
    """Tiles of r rows, v vectors: c = s + Σ_k a[:, k] b[k, :] for each."""
    r, v = size
    _, _, tiles, depth, a, a_row, a_k, b, b_k, c, c_row, start, start_row, last = function.args
    places = [(i, j) for i in range(r) for j in range(v)]
    vector_pointer = vec.as_pointer()

    def at(builder, base, offset):
        return builder.bitcast(builder.gep(base, [offset]), vector_pointer)

    def vectors_at(builder, base, row):
        starts = [builder.mul(row, INT64(i)) for i in range(r)]
        return {
            (i, j): at(builder, base, builder.add(starts[i], INT64(j * vec.count))) for i, j in places
        }

    nothing = ir.Constant(vec, None)
    tile, loop, after, adding, storing = (function.append_basic_block() for _ in range(5))
    ir.IRBuilder(block).branch(tile)
    builder = ir.IRBuilder(tile)
    t, a_tile, c_tile, s_tile = (builder.phi(kind) for kind in (INT64, a.type, c.type, start.type))
    builder.cbranch(builder.icmp_signed(">", depth, INT64(0)), loop, after)

    builder = ir.IRBuilder(loop)
    k, a_now, b_now = builder.phi(INT64), builder.phi(a.type), builder.phi(b.type)
    sums = {place: builder.phi(vec) for place in places}
    b_vectors = [builder.load(at(builder, b_now, INT64(j * vec.count)), align=item) for j in range(v)]
    new = {}
    for i in range(r):
        value = builder.load(builder.gep(a_now, [builder.mul(a_row, INT64(i))]))
        a_vector = splat_ir(builder, value, vec.count)
        for j in range(v):
            new[i, j] = fma_ir(builder, a_vector, b_vectors[j], sums[i, j])
    k_next = builder.add(k, INT64(1))
    nexts = (k_next, builder.gep(a_now, [a_k]), builder.gep(b_now, [b_k]))
    for phi, begin, following in zip((k, a_now, b_now), (INT64(0), a_tile, b), nexts, strict=True):
        phi.add_incoming(begin, tile)
        phi.add_incoming(following, loop)
    for place, phi in sums.items():
        phi.add_incoming(nothing, tile)
        phi.add_incoming(new[place], loop)
    builder.cbranch(builder.icmp_signed("<", k_next, depth), loop, after)

    builder = ir.IRBuilder(after)
    products = {place: builder.phi(vec) for place in places}
    for place, phi in products.items():
        phi.add_incoming(nothing, tile)
        phi.add_incoming(new[place], loop)
    builder.cbranch(builder.icmp_unsigned("!=", start, ir.Constant(start.type, None)), adding, storing)

    builder = ir.IRBuilder(adding)
    added = {}
    for (i, j), source in vectors_at(builder, s_tile, start_row).items():
        old = (
            load_first_ir(builder, source, last, vec, item)
            if j == v - 1
            else builder.load(source, align=item)
        )
        added[i, j] = builder.fadd(products[i, j], old)
    added_block = builder.block
    builder.branch(storing)

    builder = ir.IRBuilder(storing)
    results = {place: builder.phi(vec) for place in places}
    for place, phi in results.items():
        phi.add_incoming(products[place], after)
        phi.add_incoming(added[place], added_block)
    for (i, j), target in vectors_at(builder, c_tile, c_row).items():
        if j == v - 1:
            store_first_ir(builder, results[i, j], target, last, item)
        else:
            builder.store(results[i, j], target, align=item)
    t_next = builder.add(t, INT64(1))
    steps = ((a_tile, a_row), (c_tile, c_row), (s_tile, start_row))
    nexts = (t_next, *(builder.gep(at, [builder.mul(row, INT64(r))]) for at, row in steps))
    for phi, begin, following in zip(
        (t, a_tile, c_tile, s_tile), (INT64(0), a, c, start), nexts, strict=True
    ):
        phi.add_incoming(begin, block)
        phi.add_incoming(following, builder.block)
    builder.cbranch(builder.icmp_signed("<", t_next, tiles), tile, done)


@intrinsic
def _tiles(typingctx, like, r, v, number, depth, a, a_row, a_k, b, b_k, c, c_row, s, s_row, last):
    vector = VectorType(like)

    def codegen(context, builder, sig, args):
        function = _tiles_function(builder.module, vector)
        given = [
            builder.inttoptr(value, kind) if isinstance(kind, ir.PointerType) else value
            for value, kind in zip(args[1:], (argument.type for argument in function.args), strict=True)
        ]
        builder.call(function, given)
        return context.get_dummy_value()

    return types.void(like, *[types.int64] * 14), codegen


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
                        _tiles(
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
    """What kernels hand on to `product`: the address of the compiled product for this dtype.

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
