"""Vectors of one register for jitted loops: numba knows numbers and arrays, LLVM also what lies between.

A vector holds `lanes(array)` neighbours of an array. `+ − *` work on two of them or on one and a number;
the functions here do the rest. Without the jit (NUMBA_DISABLE_JIT=1) a vector is a short NumPy array and
everything runs all the same, slowly.
"""

import ctypes
import math
import operator

import numpy as np
from llvmlite import binding, ir
from numba import config, types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

_FEATURES = binding.get_host_cpu_features() if not config.DISABLE_JIT else {}
REGISTER_BYTES = 64 if _FEATURES.get("avx512f") else 32 if _FEATURES.get("avx2") else 16

INT32, INT64 = ir.IntType(32), ir.IntType(64)

# exp(r) = 1 + r + r² P(r) on |r| ≤ ½ ln 2: for float32 a fit, off by 4e-9; for float64 Taylor's.
_EXP = {
    4: [
        0.001377070671878755,
        0.008368976414203644,
        0.04166918992996216,
        0.166665181517601,
        0.49999991059303284,
    ],
    8: [1 / math.factorial(n) for n in range(13, 1, -1)],
}
_LN2 = {4: (0.693359375, -2.12194440e-4), 8: (6.93145751953125e-1, 1.42860682030941723212e-6)}
# Bits of the mantissa; 1.5 · 2^bits, which rounds what is added to it; below this exp is taken for 0.
_BITS = {4: (23, 1.5 * 2**23, -87.0), 8: (52, 1.5 * 2**52, -708.0)}


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
    """LLVM's own function of this name, declared once a module."""
    known = builder.module.globals.get(name)
    return known or ir.Function(builder.module, ir.FunctionType(result, arguments), name)


def suffix(vec):
    return f"v{vec.count}f{32 if isinstance(vec.element, ir.FloatType) else 64}"


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
    """The first n lanes, 0 in the others; whole vectors without a mask, which costs more."""
    with builder.if_else(_all_lanes(builder, n, vec)) as (whole, part):
        with whole:
            all_lanes, all_block = builder.load(pointer, align=align), builder.block
        with part:
            mask = first_lanes(builder, n, vec.count)
            some, some_block = masked_load(builder, pointer, mask, vec, align), builder.block
    value = builder.phi(vec)
    value.add_incoming(all_lanes, all_block)
    value.add_incoming(some, some_block)
    return value


def store_first_ir(builder, value, pointer, n, align):
    """Writes the first n lanes, whole vectors without a mask."""
    with builder.if_else(_all_lanes(builder, n, value.type)) as (whole, part):
        with whole:
            builder.store(value, pointer, align=align)
        with part:
            masked_store(builder, value, pointer, first_lanes(builder, n, value.type.count), align)


def _all_lanes(builder, n, vec):
    return builder.icmp_signed(">=", n, INT64(vec.count))


def fma_ir(builder, a, b, c):
    """a · b + c, rounded once."""
    return builder.call(
        llvm_function(builder, f"llvm.fma.{suffix(a.type)}", a.type, [a.type] * 3), [a, b, c]
    )


def _as_vector(context, builder, vector, kind, value):
    if isinstance(kind, VectorType):
        return value
    return splat_ir(builder, context.cast(builder, value, kind, vector.dtype), vector.lanes)


def _arithmetic(symbol, instruction):
    @infer_global(symbol)
    class Typing(AbstractTemplate):
        def generic(self, args, kws):
            vectors = [a for a in args if isinstance(a, VectorType)]
            if (
                len(args) == 2
                and vectors
                and all(isinstance(a, VectorType | types.Number) for a in args)
            ):
                return signature(vectors[0], *args)
            return None

    def lower(context, builder, sig, args):
        pairs = zip(sig.args, args, strict=True)
        return getattr(builder, instruction)(
            *(_as_vector(context, builder, sig.return_type, kind, value) for kind, value in pairs)
        )

    for kinds in ((VectorType, VectorType), (VectorType, types.Number), (types.Number, VectorType)):
        lower_builtin(symbol, *kinds)(lower)


_arithmetic(operator.add, "fadd")
_arithmetic(operator.sub, "fsub")
_arithmetic(operator.mul, "fmul")
_arithmetic(operator.truediv, "fdiv")


@intrinsic
def _lanes(typingctx, array):
    count = VectorType(array.dtype).lanes
    return types.int64(array), lambda context, builder, sig, args: INT64(count)


@intrinsic
def _address(typingctx, array, index):
    indices = index if isinstance(index, types.BaseTuple) else [index]
    if len(indices) != array.ndim:
        return None

    def codegen(context, builder, sig, args):
        view = context.make_array(array)(context, builder, args[0])
        places = [args[1]]
        if isinstance(index, types.BaseTuple):
            places = [builder.extract_value(args[1], n) for n in range(len(index))]
        strides = [builder.extract_value(view.strides, n) for n in range(array.ndim)]
        start = builder.ptrtoint(view.data, INT64)
        for place, stride in zip(places, strides, strict=True):
            start = builder.add(start, builder.mul(place, stride))
        return start

    return types.int64(array, index), codegen


def _pointer(builder, address, vec):
    return builder.inttoptr(address, vec.as_pointer())


@intrinsic
def _load(typingctx, like, address):
    vector = VectorType(like.dtype)

    def codegen(context, builder, sig, args):
        pointer = _pointer(builder, args[1], vector_ir(vector))
        return builder.load(pointer, align=vector.itemsize)

    return vector(like, types.int64), codegen


@intrinsic
def _load_first(typingctx, like, address, n):
    vector = VectorType(like.dtype)

    def codegen(context, builder, sig, args):
        vec = vector_ir(vector)
        return load_first_ir(builder, _pointer(builder, args[1], vec), args[2], vec, vector.itemsize)

    return vector(like, types.int64, types.int64), codegen


@intrinsic
def _store(typingctx, address, value):
    def codegen(context, builder, sig, args):
        builder.store(args[1], _pointer(builder, args[0], args[1].type), align=value.itemsize)
        return context.get_dummy_value()

    return types.void(types.int64, value), codegen


@intrinsic
def _store_first(typingctx, address, value, n):
    def codegen(context, builder, sig, args):
        pointer = _pointer(builder, args[0], args[1].type)
        store_first_ir(builder, args[1], pointer, args[2], value.itemsize)
        return context.get_dummy_value()

    return types.void(types.int64, value, types.int64), codegen


@intrinsic
def _prefetch(typingctx, address):
    """Start to bring the cache line of this address in; any address will do."""

    def codegen(context, builder, sig, args):
        byte = ir.IntType(8).as_pointer()
        fetch = llvm_function(builder, "llvm.prefetch.p0", ir.VoidType(), [byte, INT32, INT32, INT32])
        builder.call(fetch, [builder.inttoptr(args[0], byte), INT32(0), INT32(3), INT32(1)])
        return context.get_dummy_value()

    return types.void(types.int64), codegen


@intrinsic
def _splat(typingctx, like, number):
    vector = VectorType(like.dtype)

    def codegen(context, builder, sig, args):
        return _as_vector(context, builder, vector, number, args[1])

    return vector(like, number), codegen


@intrinsic
def _only_first(typingctx, value, n):
    def codegen(context, builder, sig, args):
        mask = first_lanes(builder, args[1], value.lanes)
        return builder.select(mask, args[0], ir.Constant(args[0].type, None))

    return value(value, types.int64), codegen


@intrinsic
def _lane(typingctx, value, n):
    def codegen(context, builder, sig, args):
        return builder.extract_element(args[0], args[1])

    return value.dtype(value, types.int64), codegen


@intrinsic
def _fma(typingctx, a, b, c):
    vector = next(x for x in (a, b, c) if isinstance(x, VectorType))

    def codegen(context, builder, sig, args):
        pairs = zip(sig.args, args, strict=True)
        return fma_ir(builder, *(_as_vector(context, builder, vector, kind, x) for kind, x in pairs))

    return vector(a, b, c), codegen


@intrinsic
def _larger(typingctx, a, b):
    def codegen(context, builder, sig, args):
        return builder.select(builder.fcmp_ordered(">", *args), *args)

    return a(a, b), codegen


def _reduce(operation):
    @intrinsic
    def reduce(typingctx, value):
        def codegen(context, builder, sig, args):
            vec = args[0].type
            name = f"llvm.vector.reduce.{operation}.{suffix(vec)}"
            if operation == "fmax":
                function = llvm_function(builder, name, vec.element, [vec])
                return builder.call(function, args, fastmath=("nnan", "nsz"))
            function = llvm_function(builder, name, vec.element, [vec.element, vec])
            zero = ir.Constant(vec.element, 0.0)
            return builder.call(function, [zero, args[0]], fastmath=("reassoc",))

        return value.dtype(value), codegen

    return reduce


@intrinsic
def _exp(typingctx, value):
    def codegen(context, builder, sig, args):
        vec, size = args[0].type, value.itemsize
        mantissa, magic, lowest = _BITS[size]
        integers = ir.VectorType(ir.IntType(8 * size), value.lanes)

        def constant(number):
            return ir.Constant(vec, [number] * value.lanes)

        x = args[0]
        shifted = fma_ir(builder, x, constant(1 / math.log(2)), constant(magic))  # n in its last bits
        n = builder.fsub(shifted, constant(magic))
        r = fma_ir(builder, n, constant(-_LN2[size][0]), x)
        r = fma_ir(builder, n, constant(-_LN2[size][1]), r)
        p = constant(_EXP[size][0])
        for coefficient in (*_EXP[size][1:], 1.0, 1.0):
            p = fma_ir(builder, p, r, constant(coefficient))
        power = builder.shl(
            builder.bitcast(shifted, integers), ir.Constant(integers, [mantissa] * value.lanes)
        )
        result = builder.bitcast(builder.add(builder.bitcast(p, integers), power), vec)  # p · 2^n
        low = builder.fcmp_ordered("<", x, constant(lowest))  # false for NaN, which stays
        return builder.select(low, constant(0.0), result)

    return value(value), codegen


# erf(x) = x P(x²) / Q(x²) on |x| ≤ 4, where float32 reaches ±1; the coefficients are Eigen's.
_ERF_P = (
    -2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05,
    -7.34990630326855e-04, -2.95459980854025e-03, -1.60960333262415e-02,
)  # fmt: skip
_ERF_Q = (
    -1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03,
    -1.42647390514189e-02,
)  # fmt: skip


@intrinsic
def _erf(typingctx, value):
    """float32: a quotient of polynomials; float64: the C library's, lane by lane."""

    def of_float32(context, builder, sig, args):
        def constant(number):
            return ir.Constant(args[0].type, [number] * value.lanes)

        def polynomial(coefficients):
            result = constant(coefficients[0])
            for coefficient in coefficients[1:]:
                result = fma_ir(builder, result, square, constant(coefficient))
            return result

        x = args[0]
        for limit, symbol in ((4.0, ">"), (-4.0, "<")):
            x = builder.select(builder.fcmp_ordered(symbol, x, constant(limit)), constant(limit), x)
        square = builder.fmul(x, x)
        return builder.fdiv(builder.fmul(x, polynomial(_ERF_P)), polynomial(_ERF_Q))

    def of_float64(context, builder, sig, args):
        double, result = ir.DoubleType(), args[0]
        function = llvm_function(builder, "erf", double, [double])
        for n in range(value.lanes):
            lane = builder.call(function, [builder.extract_element(args[0], INT32(n))])
            result = builder.insert_element(result, lane, INT32(n))
        return result

    return value(value), of_float32 if value.itemsize == 4 else of_float64


@intrinsic
def _root(typingctx, value):
    def codegen(context, builder, sig, args):
        vec = args[0].type
        return builder.call(llvm_function(builder, f"llvm.sqrt.{suffix(vec)}", vec, [vec]), args)

    return value(value), codegen


def _view(like, address, count):
    kind = ctypes.c_float if like.dtype == np.float32 else ctypes.c_double
    return np.ctypeslib.as_array((kind * count).from_address(address))


if config.DISABLE_JIT:

    def lanes(array):
        return REGISTER_BYTES // array.itemsize

    def address(array, index):
        places = index if isinstance(index, tuple) else (index,)
        return array.ctypes.data + sum(p * s for p, s in zip(places, array.strides, strict=True))

    def load(like, where):
        return _view(like, where, lanes(like)).copy()

    def load_first(like, where, n):
        out = np.zeros(lanes(like), like.dtype)
        n = max(0, min(n, len(out)))
        out[:n] = _view(like, where, n)
        return out

    def store(where, value):
        _view(value, where, len(value))[:] = value

    def store_first(where, value, n):
        n = max(0, min(n, len(value)))
        _view(value, where, n)[:] = value[:n]

    def splat(like, number):
        return np.full(lanes(like), number, like.dtype)

    def fma(a, b, c):
        return a * b + c

    def only_first(value, n):
        return np.where(np.arange(len(value)) < n, value, value.dtype.type(0))

    def lane(value, n):
        return value[n]

    def prefetch(where):
        pass

    larger, largest, total = np.fmax, np.max, np.sum

    exp, root = np.exp, np.sqrt

    def erf(value):
        return np.array([math.erf(x) for x in value], value.dtype)

else:
    lanes, address, load, load_first = _lanes, _address, _load, _load_first
    store, store_first, prefetch, splat, fma = _store, _store_first, _prefetch, _splat, _fma
    larger, largest, total, exp = _larger, _reduce("fmax"), _reduce("fadd"), _exp
    lane, only_first, erf, root = _lane, _only_first, _erf, _root
