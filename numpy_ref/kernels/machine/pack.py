"""Lay a matrix out as `_product` wants its right-hand side: in panels, as it is or transposed."""

from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic

from .ir import INT32, INT64, VectorType, load_first_ir, pointer_ir, vector_ir
from .jit import inner
from .simd import address, lanes, load_first, store, view
from .tile import PANEL_VECTORS


@inner
def pack_rows(to, first, start, row_bytes, rows, columns):
    """to[first:] = b, rows = K; b[k, j] at `start` + k · row_bytes + j elements."""
    count = lanes(to)
    panel = PANEL_VECTORS * count
    place = first
    for j in range(0, columns, panel):
        end = min(j + panel, columns)
        for k in range(rows):
            for n in range(j, end, count):
                values = load_first(to, start + k * row_bytes + n * to.itemsize, end - n)
                store(address(to, place), values)
                place += count


@inner
def pack_columns(to, first, start, row_bytes, rows, columns):
    """to[first:] = b, rows = K; b[k, j] at `start` + j · row_bytes + k elements."""
    count = lanes(to)
    panel = PANEL_VECTORS * count
    for j in range(0, columns, panel):
        end = min(j + panel, columns)
        width = (end - j + count - 1) // count * count
        for n in range(j, end, count):
            for k in range(0, rows, count):
                source = start + n * row_bytes + k * to.itemsize
                target = address(to, first + j * rows + k * width + n - j)
                height, width_k = min(count, end - n), min(count, rows - k)
                if height == count and width_k == count:
                    _transpose_square(to, source, row_bytes, target, width * to.itemsize)
                else:
                    _transpose(to, source, row_bytes, height, target, width * to.itemsize, width_k)


@inner
def pack_panel(to, first, panel, start, row_bytes, rows, columns, transposed):
    """One panel of what pack_columns (transposed) or pack_rows would write."""
    width = PANEL_VECTORS * lanes(to)
    column = panel * width
    if transposed:
        source = start + column * row_bytes
        pack_columns(to, first + column * rows, source, row_bytes, rows, min(width, columns - column))
    else:
        source = start + column * to.itemsize
        pack_rows(to, first + column * rows, source, row_bytes, rows, min(width, columns - column))


def _transposed(builder, block):
    """The transposed square block, in log2(lanes) rounds that exchange neighbours 1, 2, 4, … apart."""
    count, step = len(block), 1
    kind = ir.VectorType(INT32, count)
    while step < count:
        low = ir.Constant(kind, [n if not n & step else count + n - step for n in range(count)])
        high = ir.Constant(kind, [n + step if not n & step else count + n for n in range(count)])
        for i in (i for i in range(count) if not i & step):
            a, b = block[i], block[i + step]
            block[i] = builder.shuffle_vector(a, b, low)
            block[i + step] = builder.shuffle_vector(a, b, high)
        step *= 2
    return block


@intrinsic
def _transpose_square_jitted(typingctx, like, source, source_row, target, target_row):
    """A block of lanes × lanes at source, transposed, to target; rows are so many bytes apart."""
    vector = VectorType(like.dtype)

    def codegen(context, builder, sig, args):
        _, source, source_row, target, target_row = args
        vec, count = vector_ir(vector), vector.lanes

        def row(start, distance, i):
            return pointer_ir(builder, builder.add(start, builder.mul(distance, INT64(i))), vec)

        block = [builder.load(row(source, source_row, i), align=vector.itemsize) for i in range(count)]
        for i, column in enumerate(_transposed(builder, block)):
            builder.store(column, row(target, target_row, i), align=vector.itemsize)
        return context.get_dummy_value()

    return types.void(like, *[types.int64] * 4), codegen


@intrinsic
def _transpose_jitted(typingctx, like, source, source_row, rows, target, target_row, columns):
    """target = the `rows` × `columns` block at source, transposed; zeros up to whole vectors."""
    vector = VectorType(like.dtype)

    def codegen(context, builder, sig, args):
        _, source, source_row, rows, target, target_row, columns = args
        vec, count = vector_ir(vector), vector.lanes

        def row(start, distance, i, limit):
            pointer = pointer_ir(builder, builder.add(start, builder.mul(distance, INT64(i))), vec)
            return pointer, builder.icmp_signed("<", INT64(i), limit)

        block = []
        for i in range(count):
            pointer, there = row(source, source_row, i, rows)
            n = builder.select(there, columns, INT64(0))
            block.append(load_first_ir(builder, pointer, n, vec, vector.itemsize))
        for i, column in enumerate(_transposed(builder, block)):
            pointer, there = row(target, target_row, i, columns)
            with builder.if_then(there):
                builder.store(column, pointer, align=vector.itemsize)
        return context.get_dummy_value()

    return types.void(like, *[types.int64] * 6), codegen


def _transpose_without_jit(like, source, source_row, rows, target, target_row, columns):
    for i in range(columns):
        out = view(like, target + i * target_row, lanes(like))
        out[:] = 0
        for n in range(rows):
            out[n] = view(like, source + n * source_row, columns)[i]


def _transpose_square_without_jit(like, source, source_row, target, target_row):
    _transpose_without_jit(like, source, source_row, lanes(like), target, target_row, lanes(like))


if config.DISABLE_JIT:
    _transpose, _transpose_square = _transpose_without_jit, _transpose_square_without_jit
else:
    _transpose, _transpose_square = _transpose_jitted, _transpose_square_jitted
