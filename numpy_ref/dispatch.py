"""The one switch between the definition (`numpy_ref.ops`) and the numba kernels (`numpy_ref.kernels`).

Modules call `F.linear_forward(...)`; F looks the name up in whichever of the two is chosen. The
kernels are the default and are imported at their first use, so that importing numpy_ref stays light.
On a processor without FMA the definition is the default: there a product by the kernels takes a
thousand times as long.
"""

import importlib
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

from .checks import check_choice

_MODULES = {"numpy": "numpy_ref.ops", "numba": "numpy_ref.kernels"}
_chosen = ContextVar("numpy_ref.use_ops", default="")  # "" is the default_ops() of this processor


class _Ops:
    def __getattr__(self, name):
        chosen = _chosen.get()
        return getattr(_module(chosen) if isinstance(chosen, str) else chosen, name)


@cache
def _module(implementation):
    return importlib.import_module(_MODULES[implementation or default_ops()])


F = _Ops()


def default_ops():
    """What modules compute with outside of `use_ops`: "numba", on a processor without FMA "numpy"."""
    return "numba" if importlib.import_module("numpy_ref.kernels.machine.target").HAS_FMA else "numpy"


@contextmanager
def use_ops(implementation):
    """Within the block modules compute with "numpy" (the definition) or "numba" (the kernels).

    Or with any other namespace of ops: an object whose attributes are functions named as in
    `numpy_ref.ops`, say to trace them or to try another implementation of one.
    The choice holds for this thread or asyncio task and the tasks it starts; a new thread begins with
    the default. "numba" gives the right results on every processor, slowly on one without FMA.
    What one of them remembers in forward only its own backward can read: choose for both.
    Raises ValueError for another name.
    """
    if not hasattr(implementation, "attention_forward"):
        check_choice("implementation", implementation, tuple(_MODULES))
    token = _chosen.set(implementation)
    try:
        yield
    finally:
        _chosen.reset(token)


def num_threads():
    """Threads that the kernels use."""
    return _threads().num_threads()


def set_num_threads(n):
    """Let the kernels use n threads, the calling one included; results keep their bits.

    Without it they use NUMBA_NUM_THREADS, or as many as this process has processors.
    Raises TypeError/ValueError unless n is an integer from 1 to 1024.
    """
    _threads().set_num_threads(n)


def _threads():
    return importlib.import_module("numpy_ref.kernels.machine.threads")
