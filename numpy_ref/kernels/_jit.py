"""How the kernels are compiled and where the compiled code is kept.

numba keeps compiled code beside the source and compiles again when the file of the function has changed;
what it calls in other files it does not look at. Here any change to any of the kernels' files counts.
"""

import hashlib
from pathlib import Path

from llvmlite import ir
from numba import njit, types
from numba.core.datamodel import models
from numba.core.imputils import lower_constant
from numba.extending import register_model, typeof_impl


def _stamp():
    """A digest of all kernels' sources."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


STAMP = _stamp()


def compiled(function):
    """njit for what Python calls: without the interpreter lock, and kept on disk."""
    dispatcher = njit(nogil=True, cache=True, no_cfunc_wrapper=True, error_model="numpy")(function)
    cache = getattr(dispatcher, "_cache", None)
    if hasattr(cache, "_cache_file"):
        cache._cache_file._source_stamp = STAMP
    return dispatcher


def inner(function):
    """njit for what only jitted code calls: it needs no entries for Python and C, which take long."""
    return njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, error_model="numpy")(function)


class Loop:
    """A jitted function that jitted code refers to; as a plain value it would keep it from disk."""

    def __init__(self, function):
        self.dispatcher = inner(function)
        self.__name__ = function.__name__

    def __call__(self, *arguments):
        return self.dispatcher(*arguments)


class LoopType(types.Type):
    def __init__(self, dispatcher):
        self.dispatcher = dispatcher
        function = dispatcher.py_func
        super().__init__(name=f"loop({function.__module__}.{function.__qualname__})")


@typeof_impl.register(Loop)
def _typeof_loop(value, context):
    return LoopType(value.dispatcher)


@register_model(LoopType)
class _LoopModel(models.OpaqueModel):
    pass


@lower_constant(LoopType)
def _constant_loop(context, builder, kind, value):
    return context.get_dummy_value()


def code_of(context, builder, loop, signature, words, values):
    """Address of a C function of so many int64s that calls the loop with `values(builder, int64s)`."""
    word = ir.IntType(64)
    result = loop.dispatcher.get_compile_result(signature)
    context.add_linking_libs([result.library])
    kind = ir.FunctionType(ir.VoidType(), [word] * words)
    code = ir.Function(builder.module, kind, builder.module.get_unique_name("numpy_ref_code"))
    code.linkage = "internal"
    inside = ir.IRBuilder(code.append_basic_block())
    context.call_internal_no_propagate(inside, result.fndesc, signature, values(inside, code.args))
    inside.ret_void()
    return builder.ptrtoint(code, word)
