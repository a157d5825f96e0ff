"""The inner loop of the product, written in LLVM's IR: tiles of C whose elements stay in registers.

A tile is r rows of v vectors. For each k a row of B is loaded, v vectors, and r elements of A are
broadcast; each of the r · v accumulators is a register. numba's vectoriser would keep them in memory.
"""

from typing import NamedTuple

from llvmlite import ir
from numba import types
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


class Arguments(NamedTuple):
    """Of the function that multiplies: pointers to the first tile, distances in elements."""

    rows: ir.Value  # r and v of each tile
    vectors: ir.Value
    tiles: ir.Value  # how many, one below the other; they share b
    depth: ir.Value  # K
    a: ir.Value
    a_row: ir.Value
    a_k: ir.Value
    b: ir.Value
    b_k: ir.Value
    c: ir.Value
    c_row: ir.Value
    start: ir.Value  # what C begins with, nothing at address 0
    start_row: ir.Value
    last: ir.Value  # lanes of the last vector of each row


def tiles_function(module, vector):
    """The function of Arguments in this module, for all sizes of a tile."""
    vec = vector_ir(vector)
    pointer = vec.element.as_pointer()
    name = f"numpy_ref_tiles_{suffix(vec)}"
    if name in module.globals:
        return module.globals[name]
    kinds = [INT64] * 4 + [pointer, INT64, INT64] + [pointer, INT64] * 3 + [INT64]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), name)
    function.linkage = "internal"
    given = Arguments(*function.args)
    start, done = function.append_basic_block(), function.append_basic_block()
    ir.IRBuilder(done).ret_void()
    builder = ir.IRBuilder(start)
    choice = builder.switch(builder.add(builder.mul(given.vectors, INT64(64)), given.rows), done)
    for v in WIDTHS:
        for r in range(1, min(MOST_ROWS, ACCUMULATORS // v) + 1):
            block = function.append_basic_block()
            choice.add_case(INT64(64 * v + r), block)
            _Tiles(function, given, r, v, vector).write(block, done)
    return function


class _Tiles:
    """The code for tiles of r rows and v vectors: c = start + Σ_k a[:, k] b[k, :] for each of them."""

    def __init__(self, function, given, r, v, vector):
        self.function, self.given, self.r, self.v = function, given, r, v
        self.vec, self.item = vector_ir(vector), vector.itemsize
        self.places = [(i, j) for i in range(r) for j in range(v)]

    def write(self, block, done):
        """From `block` to `done`, tile by tile."""
        given = self.given
        tile = self.function.append_basic_block()
        ir.IRBuilder(block).branch(tile)
        builder = ir.IRBuilder(tile)
        begins = INT64(0), given.a, given.c, given.start
        t, a, c, start = phis = [builder.phi(begin.type) for begin in begins]
        products, builder = self._products(builder, a)
        results, builder = self._add_start(builder, products, start)
        for (i, j), target in self._vectors(builder, c, given.c_row).items():
            if j == self.v - 1:
                store_first_ir(builder, results[i, j], target, given.last, self.item)
            else:
                builder.store(results[i, j], target, align=self.item)
        nexts = [builder.add(t, INT64(1))]
        for pointer, row in ((a, given.a_row), (c, given.c_row), (start, given.start_row)):
            nexts.append(builder.gep(pointer, [builder.mul(row, INT64(self.r))]))
        for phi, begin, following in zip(phis, begins, nexts, strict=True):
            phi.add_incoming(begin, block)
            phi.add_incoming(following, builder.block)
        builder.cbranch(builder.icmp_signed("<", nexts[0], given.tiles), tile, done)

    def _products(self, builder, a_tile):
        """{place: Σ_k a[i, k] b[k, j]}, all 0 if K is 0."""
        given, tile = self.given, builder.block
        loop, after = (self.function.append_basic_block() for _ in range(2))
        builder.cbranch(builder.icmp_signed(">", given.depth, INT64(0)), loop, after)
        builder = ir.IRBuilder(loop)
        begins = INT64(0), a_tile, given.b
        k, a, b = phis = [builder.phi(begin.type) for begin in begins]
        sums = {place: builder.phi(self.vec) for place in self.places}
        row = [self._vector(builder, b, INT64(j * self.vec.count)) for j in range(self.v)]
        row = [builder.load(place, align=self.item) for place in row]
        new = {}
        for i in range(self.r):
            value = builder.load(builder.gep(a, [builder.mul(given.a_row, INT64(i))]))
            a_vector = splat_ir(builder, value, self.vec.count)
            for j in range(self.v):
                new[i, j] = fma_ir(builder, a_vector, row[j], sums[i, j])
        nexts = (
            builder.add(k, INT64(1)),
            builder.gep(a, [given.a_k]),
            builder.gep(b, [given.b_k]),
        )
        zero = ir.Constant(self.vec, None)
        begins, nexts = (*begins, *[zero] * len(sums)), (*nexts, *new.values())
        for phi, begin, following in zip((*phis, *sums.values()), begins, nexts, strict=True):
            phi.add_incoming(begin, tile)
            phi.add_incoming(following, loop)
        builder.cbranch(builder.icmp_signed("<", nexts[0], given.depth), loop, after)
        return self._either(after, dict.fromkeys(self.places, zero), tile, new, loop)

    def _add_start(self, builder, products, start):
        """products + start, or products alone if start is at address 0."""
        given, before = self.given, builder.block
        adding, after = (self.function.append_basic_block() for _ in range(2))
        there = builder.icmp_unsigned("!=", given.start, ir.Constant(start.type, None))
        builder.cbranch(there, adding, after)
        builder, added = ir.IRBuilder(adding), {}
        for (i, j), source in self._vectors(builder, start, given.start_row).items():
            if j == self.v - 1:
                old = load_first_ir(builder, source, given.last, self.vec, self.item)
            else:
                old = builder.load(source, align=self.item)
            added[i, j] = builder.fadd(products[i, j], old)
        builder.branch(after)
        return self._either(after, products, before, added, builder.block)

    def _either(self, block, ours, from_ours, theirs, from_theirs):
        """At the start of `block` the values of the block that it was reached from, and a builder."""
        builder, values = ir.IRBuilder(block), {}
        for place in self.places:
            values[place] = builder.phi(self.vec)
            values[place].add_incoming(ours[place], from_ours)
            values[place].add_incoming(theirs[place], from_theirs)
        return values, builder

    def _vectors(self, builder, base, row):
        """{place: pointer to the vector there}"""
        starts = [builder.mul(row, INT64(i)) for i in range(self.r)]
        offsets = {(i, j): builder.add(starts[i], INT64(j * self.vec.count)) for i, j in self.places}
        return {place: self._vector(builder, base, offset) for place, offset in offsets.items()}

    def _vector(self, builder, base, offset):
        return builder.bitcast(builder.gep(base, [offset]), self.vec.as_pointer())


@intrinsic
def multiply_tiles(typingctx, like, r, v, tiles, depth, a, a_row, a_k, b, b_k, c, c_row, s, s_row, last):
    """Call the function of Arguments; like: a number of the dtype, pointers as addresses."""
    vector = VectorType(like)

    def codegen(context, builder, sig, args):
        function = tiles_function(builder.module, vector)
        given = [
            builder.inttoptr(value, argument.type) if argument.type.is_pointer else value
            for value, argument in zip(args[1:], function.args, strict=True)
        ]
        builder.call(function, given)
        return context.get_dummy_value()

    return types.void(like, *[types.int64] * 14), codegen
