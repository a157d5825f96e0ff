"""How the kernels are compiled."""

from contextlib import suppress

from numba import config, njit

from .kept import Kept


def compiled(function):
    """njit for what Python calls: without the interpreter lock, kept on disk if a folder is writable."""
    return _on_disk(njit(nogil=True, no_cfunc_wrapper=True, error_model="numpy")(function), function)


def called_by_address(function):
    """njit for what jitted code calls as C would, by its `code_address`: compiled once for all."""
    return _on_disk(njit(no_cpython_wrapper=True, error_model="numpy")(function), function)


def code_address(dispatcher, signature):
    """Where the machine code for C callers begins; compiled or loaded from disk at the first call."""
    result = dispatcher.get_compile_result(signature)
    return result.library.get_pointer_to_function(result.fndesc.llvm_cfunc_wrapper_name)


def _on_disk(dispatcher, function):
    if not config.DISABLE_JIT:
        with suppress(RuntimeError):  # no folder is writable: every process compiles
            dispatcher._cache = Kept(function)
    return dispatcher


def inner(function):
    """njit for what only jitted code calls: without entries for Python and C, slow to compile."""
    return njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, error_model="numpy")(function)
