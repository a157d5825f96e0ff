"""Vectors of one register as LLVM has them: types, masks, loads and stores for code that emits IR."""

from llvmlite import ir
from numba import types
from numba.extending import models, register_model

from .target import REGISTER_BYTES

INT32, INT64 = ir.IntType(32), ir.IntType(64)


class VectorType(types.Type):
    """`lanes` numbers of `dtype` in one register."""

    def __init__(self, dtype):
        self.dtype, self.itemsize = dtype, dtype.bitwidth // 8
        self.lanes = REGISTER_BYTES // self.itemsize
        super().__init__(name=f"vector({self.lanes} x {dtype})")


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, vector_ir(fe_type))


def vector_ir(vector):
    return ir.VectorType(element_ir(vector.dtype), vector.lanes)


def element_ir(dtype):
    return ir.FloatType() if dtype == types.float32 else ir.DoubleType()


def llvm_function(builder, name, result, arguments):
    """Return LLVM's function of this name, declared once per module."""
    known = builder.module.globals.get(name)
    return known or ir.Function(builder.module, ir.FunctionType(result, arguments), name)


def suffix(vec):
    return f"v{vec.count}f{32 if isinstance(vec.element, ir.FloatType) else 64}"


def pointer_ir(builder, address, vec):
    return builder.inttoptr(address, vec.as_pointer())


def splat_ir(builder, value, count):
    """The vector whose elements all are `value`."""
    one = builder.insert_element(
        ir.Constant(ir.VectorType(value.type, count), ir.Undefined), value, INT32(0)
    )
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(INT32, count), [0] * count))


def first_lanes(builder, n, count):
    """A mask that is true in the first n lanes; n is an int64."""
    places = ir.Constant(ir.VectorType(INT64, count), list(range(count)))
    return builder.icmp_signed("<", places, splat_ir(builder, n, count))


def masked_load(builder, pointer, mask, vec, align):
    """The lanes of the mask, 0 in the others; memory beyond them is not touched."""
    name = f"llvm.masked.load.{suffix(vec)}.p0"
    load = llvm_function(builder, name, vec, [vec.as_pointer(), INT32, mask.type, vec])
    return builder.call(load, [pointer, INT32(align), mask, ir.Constant(vec, None)])


def masked_store(builder, value, pointer, mask, align):
    """Writes the lanes of the mask; memory beyond them is not touched."""
    vec = value.type
    name = f"llvm.masked.store.{suffix(vec)}.p0"
    store = llvm_function(builder, name, ir.VoidType(), [vec, vec.as_pointer(), INT32, mask.type])
    builder.call(store, [value, pointer, INT32(align), mask])


def load_first_ir(builder, pointer, n, vec, align):
    """The first n lanes, 0 in the others; a full vector without a mask, which costs more."""
    with builder.if_else(_all_lanes(builder, n, vec)) as (full, partial):
        with full:
            all_lanes, all_block = builder.load(pointer, align=align), builder.block
        with partial:
            mask = first_lanes(builder, n, vec.count)
            some, some_block = masked_load(builder, pointer, mask, vec, align), builder.block
    value = builder.phi(vec)
    value.add_incoming(all_lanes, all_block)
    value.add_incoming(some, some_block)
    return value


def store_first_ir(builder, value, pointer, n, align):
    """Writes the first n lanes, a full vector without a mask."""
    with builder.if_else(_all_lanes(builder, n, value.type)) as (full, partial):
        with full:
            builder.store(value, pointer, align=align)
        with partial:
            masked_store(builder, value, pointer, first_lanes(builder, n, value.type.count), align)


def _all_lanes(builder, n, vec):
    return builder.icmp_signed(">=", n, INT64(vec.count))


def fma_ir(builder, a, b, c):
    """a · b + c, rounded once."""
    return builder.call(
        llvm_function(builder, f"llvm.fma.{suffix(a.type)}", a.type, [a.type] * 3), [a, b, c]
    )
