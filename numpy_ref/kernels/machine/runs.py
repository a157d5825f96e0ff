"""Gather and scatter a vector's worth of index entries at once where the entries are a run.

In a window the next key is looked up one row before this one, so most of an index row is runs of entries
that count down (or up) by one, and `lanes` of them are one vector. All others go one by one.
"""

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic

from .ir import INT32, INT64, pointer_ir, splat_ir
from .jit import inner
from .simd import address, lanes, load, splat, store, view


@inner
def gather_row(row, table, index, keys):
    """row[n] = table[index[n]]; keys: the length of the index's rows."""
    if not _may_have_runs(row, keys):
        for n in range(row.size):
            row[n] = table[index[n]]
        return
    count, n, like = lanes(row), 0, splat(row, 0.0)
    while n + count <= row.size:
        end = n + count - 1
        step = _step(like, address(index, n), index[n], index[end])
        if step == 1:
            store(address(row, n), load(row, address(table, index[n])))
        elif step == -1:
            store(address(row, n), _reversed(load(row, address(table, index[end]))))
        else:
            for m in range(n, n + count):
                row[m] = table[index[m]]
        n += count
    for m in range(n, row.size):
        row[m] = table[index[m]]


@inner
def scatter_row(sums, index, row, keys):
    """sums[index[n]] += row[n], in order; sums in float64, keys as above."""
    if not _may_have_runs(row, keys):
        for n in range(row.size):
            sums[index[n]] += row[n]
        return
    count, n = lanes(row), 0
    while n + count <= row.size:
        end, values = n + count - 1, load(row, address(row, n))
        step = _step(values, address(index, n), index[n], index[end])
        if step == 1:
            _add_doubles(address(sums, index[n]), values)
        elif step == -1:
            _add_doubles(address(sums, index[end]), _reversed(values))
        else:
            for m in range(n, n + count):
                sums[index[m]] += row[m]
        n += count
    for m in range(n, row.size):
        sums[index[m]] += row[m]


@inner
def _may_have_runs(row, keys):
    """A square window of fewer than lanes² keys has no row that fills a vector: not worth testing."""
    return keys >= lanes(row) ** 2


@inner
def _step(like, entries, first, last):
    """1 or −1 if as many entries as `like` has elements count up or down by one, else 0.

    entries: their address; first, last: the entries at both ends, which rule most others out.
    """
    distance = np.int64(last) - np.int64(first)
    if distance == _length(like) - 1 and _count_by(like, entries, 1):
        return 1
    if distance == 1 - _length(like) and _count_by(like, entries, -1):
        return -1
    return 0


@intrinsic
def _count_by_jitted(typingctx, like, index, step):
    """Whether the `lanes` entries at this address are first, first + step, first + 2 · step, …"""
    count = like.lanes

    def codegen(context, builder, sig, args):
        _, index, step = args
        entries = builder.load(pointer_ir(builder, index, ir.VectorType(INT64, count)), align=8)
        first = splat_ir(builder, builder.extract_element(entries, INT32(0)), count)
        places = ir.Constant(entries.type, list(range(count)))
        wanted = builder.add(first, builder.mul(splat_ir(builder, step, count), places))
        equal = builder.icmp_signed("==", entries, wanted)
        bits = builder.bitcast(equal, ir.IntType(count))
        return builder.icmp_signed("==", bits, ir.Constant(bits.type, -1))

    return types.boolean(like, types.int64, types.int64), codegen


@intrinsic
def _length_jitted(typingctx, value):
    return types.int64(value), lambda context, builder, sig, args: INT64(value.lanes)


@intrinsic
def _reversed_jitted(typingctx, value):
    """The elements from the last to the first."""
    order = ir.Constant(ir.VectorType(INT32, value.lanes), list(reversed(range(value.lanes))))

    def codegen(context, builder, sig, args):
        return builder.shuffle_vector(args[0], args[0], order)

    return value(value), codegen


@intrinsic
def _add_doubles_jitted(typingctx, start, value):
    """Add the vector, each element as a double, to the doubles at this address."""

    def codegen(context, builder, sig, args):
        doubles = ir.VectorType(ir.DoubleType(), value.lanes)
        added = args[1] if value.itemsize == 8 else builder.fpext(args[1], doubles)
        place = pointer_ir(builder, args[0], doubles)
        builder.store(builder.fadd(builder.load(place, align=8), added), place, align=8)
        return context.get_dummy_value()

    return types.void(types.int64, value), codegen


def _count_by_without_jit(like, index, step):
    entries = view(np.empty(0, np.int64), index, len(like))
    return bool((np.diff(entries) == step).all())


def _reversed_without_jit(value):
    return value[::-1]


def _add_doubles_without_jit(start, value):
    view(np.empty(0), start, len(value))[:] += value


if config.DISABLE_JIT:
    _length = len
    _count_by, _reversed = _count_by_without_jit, _reversed_without_jit
    _add_doubles = _add_doubles_without_jit
else:
    _length = _length_jitted
    _count_by, _reversed, _add_doubles = _count_by_jitted, _reversed_jitted, _add_doubles_jitted
