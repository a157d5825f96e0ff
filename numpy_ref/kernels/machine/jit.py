"""How the kernels are compiled."""

from contextlib import suppress

from llvmlite import ir
from numba import config, njit, types
from numba.core.datamodel import models
from numba.core.imputils import lower_constant
from numba.extending import register_model, typeof_impl

from .kept import Kept


def compiled(function):
    """njit for what Python calls: without the interpreter lock, and kept on disk where that can be."""
    dispatcher = njit(nogil=True, no_cfunc_wrapper=True, error_model="numpy")(function)
    if not config.DISABLE_JIT:
        with suppress(RuntimeError):  # no folder is writable: every process compiles
            dispatcher._cache = Kept(function)
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
