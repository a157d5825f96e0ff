"""Vectors of one register for jitted loops: numba knows numbers and arrays, LLVM also vectors.

A vector holds `lanes(array)` neighbours of an array. `+ − *` work on two of them or on one and a number;
the functions here do the rest. `load_first(like, address, n)` fills lanes from n on with 0,
`store_first` leaves them alone and `only_first` sets them to 0; n may exceed the lanes. Without the jit
(NUMBA_DISABLE_JIT=1) a vector is a short NumPy array and everything runs all the same, slowly.
"""

import operator

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin

from .ir import (
    INT32,
    INT64,
    REGISTER_BYTES,
    VectorType,
    first_lanes,
    fma_ir,
    llvm_function,
    load_first_ir,
    pointer_ir,
    splat_ir,
    store_first_ir,
    suffix,
    vector_ir,
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


@intrinsic
def _load(typingctx, like, address):
    vector = VectorType(like.dtype)

    def codegen(context, builder, sig, args):
        pointer = pointer_ir(builder, args[1], vector_ir(vector))
        return builder.load(pointer, align=vector.itemsize)

    return vector(like, types.int64), codegen


@intrinsic
def _load_first(typingctx, like, address, n):
    vector = VectorType(like.dtype)

    def codegen(context, builder, sig, args):
        vec = vector_ir(vector)
        return load_first_ir(builder, pointer_ir(builder, args[1], vec), args[2], vec, vector.itemsize)

    return vector(like, types.int64, types.int64), codegen


@intrinsic
def _store(typingctx, address, value):
    def codegen(context, builder, sig, args):
        builder.store(args[1], pointer_ir(builder, args[0], args[1].type), align=value.itemsize)
        return context.get_dummy_value()

    return types.void(types.int64, value), codegen


@intrinsic
def _store_first(typingctx, address, value, n):
    def codegen(context, builder, sig, args):
        pointer = pointer_ir(builder, args[0], args[1].type)
        store_first_ir(builder, args[1], pointer, args[2], value.itemsize)
        return context.get_dummy_value()

    return types.void(types.int64, value, types.int64), codegen


@intrinsic
def _prefetch(typingctx, address):
    """Begin to load the cache line of this address; any address is allowed."""

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
def _root(typingctx, value):
    def codegen(context, builder, sig, args):
        vec = args[0].type
        return builder.call(llvm_function(builder, f"llvm.sqrt.{suffix(vec)}", vec, [vec]), args)

    return value(value), codegen


def view(like, address, count):
    """The numbers in memory from this address on, without the jit."""
    kind = np.ctypeslib.as_ctypes_type(like.dtype)
    return np.ctypeslib.as_array((kind * count).from_address(address))


if config.DISABLE_JIT:

    def lanes(array):
        return REGISTER_BYTES // array.itemsize

    def address(array, index):
        places = index if isinstance(index, tuple) else (index,)
        return array.ctypes.data + sum(int(p) * s for p, s in zip(places, array.strides, strict=True))

    def load(like, where):
        return view(like, where, lanes(like)).copy()

    def load_first(like, where, n):
        out = np.zeros(lanes(like), like.dtype)
        n = max(0, min(n, len(out)))
        out[:n] = view(like, where, n)
        return out

    def store(where, value):
        view(value, where, len(value))[:] = value

    def store_first(where, value, n):
        n = max(0, min(n, len(value)))
        view(value, where, n)[:] = value[:n]

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

    root = np.sqrt

else:
    lanes, address, load, load_first = _lanes, _address, _load, _load_first
    store, store_first, prefetch, splat, fma = _store, _store_first, _prefetch, _splat, _fma
    larger, largest, total = _larger, _reduce("fmax"), _reduce("fadd")
    lane, only_first, root = _lane, _only_first, _root
