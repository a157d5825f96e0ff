"""A vector's worth of entries of an index, gathered and scattered: quickly where they are a run.

In a window the next key is looked up one row before this one, so most of a row of the index are runs of
entries that count down (or up) by one, and `lanes` of them are one vector. Any others go one by one.
"""

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic

from .ir import INT32, INT64, VectorType, pointer_ir, splat_ir, vector_ir
from .simd import lanes, view


def _by_runs(builder, index, count, run, one):
    """run(lowest entry, whether they count down) where the entries at `index` do, else one(n, entry)."""

    def entry(n):
        return builder.load(_at(builder, index, INT64(n), INT64, 8))

    first = entry(0)
    distance = builder.sub(entry(count - 1), first)
    one_by_one, done = (builder.append_basic_block() for _ in range(2))
    for step in (-1, 1):
        likely, certain, following = (builder.append_basic_block() for _ in range(3))
        builder.cbranch(
            builder.icmp_signed("==", distance, INT64(step * (count - 1))), likely, following
        )
        builder.position_at_end(likely)
        builder.cbranch(_counts(builder, index, first, step, count), certain, one_by_one)
        builder.position_at_end(certain)
        run(builder.add(first, INT64(min(step * (count - 1), 0))), step < 0)
        builder.branch(done)
        builder.position_at_end(following)
    builder.branch(one_by_one)
    builder.position_at_end(one_by_one)
    for n in range(count):
        one(n, entry(n))
    builder.branch(done)
    builder.position_at_end(done)


def _counts(builder, index, first, step, count):
    """Whether the entries at `index` are first, first + step, …"""
    entries = builder.load(pointer_ir(builder, index, ir.VectorType(INT64, count)), align=8)
    distances = builder.sub(entries, splat_ir(builder, first, count))
    wanted = ir.Constant(distances.type, [n * step for n in range(count)])
    bits = builder.bitcast(builder.icmp_signed("==", distances, wanted), ir.IntType(count))
    return builder.icmp_signed("==", bits, ir.Constant(bits.type, -1))


def _in_order(builder, vector, down):
    """The vector, or its elements from the last to the first."""
    if not down:
        return vector
    order = list(reversed(range(vector.type.count)))
    return builder.shuffle_vector(vector, vector, ir.Constant(ir.VectorType(INT32, len(order)), order))


def _at(builder, start, n, kind, size):
    """Pointer to what lies n elements of that size after `start`."""
    place = builder.add(start, builder.mul(n, INT64(size)))
    return builder.inttoptr(place, kind.as_pointer())


@intrinsic
def _gather_lanes_jitted(typingctx, like, row, table, index):
    """row[:lanes] = table[index[:lanes]]; all three are addresses."""
    vector = VectorType(like.dtype)
    size = vector.itemsize

    def codegen(context, builder, sig, args):
        _, row, table, index = args
        vec = vector_ir(vector)

        def run(lowest, down):
            values = builder.load(_at(builder, table, lowest, vec, size), align=size)
            builder.store(_in_order(builder, values, down), pointer_ir(builder, row, vec), align=size)

        def one(n, entry):
            value = builder.load(_at(builder, table, entry, vec.element, size))
            builder.store(value, _at(builder, row, INT64(n), vec.element, size))

        _by_runs(builder, index, vec.count, run, one)
        return context.get_dummy_value()

    return types.void(like, *[types.int64] * 3), codegen


@intrinsic
def _scatter_lanes_jitted(typingctx, like, sums, index, row):
    """sums[index[:lanes]] += row[:lanes] in order; sums in float64, all three are addresses."""
    vector = VectorType(like.dtype)
    size = vector.itemsize

    def codegen(context, builder, sig, args):
        _, sums, index, row = args
        vec, double = vector_ir(vector), ir.DoubleType()

        def add(place, values, kind):
            if size != 8:
                values = builder.fpext(values, kind)
            builder.store(builder.fadd(builder.load(place, align=8), values), place, align=8)

        def run(lowest, down):
            doubles = ir.VectorType(double, vec.count)
            values = builder.load(pointer_ir(builder, row, vec), align=size)
            add(_at(builder, sums, lowest, doubles, 8), _in_order(builder, values, down), doubles)

        def one(n, entry):
            value = builder.load(_at(builder, row, INT64(n), vec.element, size))
            add(_at(builder, sums, entry, double, 8), value, double)

        _by_runs(builder, index, vec.count, run, one)
        return context.get_dummy_value()

    return types.void(like, *[types.int64] * 3), codegen


def _entries(like, index):
    return enumerate(view(np.empty(0, np.int64), index, lanes(like)).tolist())


def _gather_lanes_without_jit(like, row, table, index):
    for n, entry in _entries(like, index):
        view(like, row, lanes(like))[n] = view(like, table + entry * like.itemsize, 1)[0]


def _scatter_lanes_without_jit(like, sums, index, row):
    for n, entry in _entries(like, index):
        view(np.empty(0), sums + entry * 8, 1)[0] += view(like, row, lanes(like))[n]


if config.DISABLE_JIT:
    gather_lanes, scatter_lanes = _gather_lanes_without_jit, _scatter_lanes_without_jit
else:
    gather_lanes, scatter_lanes = _gather_lanes_jitted, _scatter_lanes_jitted
