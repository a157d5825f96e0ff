"""The one switch between the definition (`numpy_ref.ops`) and the numba kernels (`numpy_ref.kernels`).

Modules call `F.linear_forward(...)`; F looks the name up in whichever of the two is chosen. The
kernels are the default and are imported at their first use, so that importing numpy_ref stays light.
"""

import importlib
from contextlib import contextmanager
from functools import cache

from .checks import check_choice

_MODULES = {"numpy": "numpy_ref.ops", "numba": "numpy_ref.kernels"}
_chosen = "numba"


class _Ops:
    def __getattr__(self, name):
        return getattr(_chosen if not isinstance(_chosen, str) else _module(_chosen), name)


@cache
def _module(implementation):
    return importlib.import_module(_MODULES[implementation])


F = _Ops()


@contextmanager
def use_ops(implementation):
    """Within the block modules compute with "numpy" (the definition) or "numba" (the kernels).

    Or with any namespace of ops: an object whose attributes are functions named as in `numpy_ref.ops`,
    say to trace them or to try another implementation of one.
    What one of them remembers in forward only its own backward can read: choose for both.
    """
    global _chosen
    if isinstance(implementation, str):
        check_choice("implementation", implementation, tuple(_MODULES))
    before, _chosen = _chosen, implementation
    try:
        yield
    finally:
        _chosen = before


def num_threads():
    """Threads that the kernels use."""
    return _threads().num_threads()


def set_num_threads(n):
    """Let the kernels use n threads, the calling one included; results keep their bits.

    Without it they use NUMBA_NUM_THREADS, or as many as this process has processors.
    Raises TypeError/ValueError unless n is an integer of at least 1.
    """
    _threads().set_num_threads(n)


def _threads():
    return importlib.import_module("numpy_ref.kernels._threads")
