"""The one switch between the definition (`numpy_ref.ops`) and the numba kernels (`numpy_ref.kernels`).

Modules call `F.linear_forward(...)`; F looks the name up in the one that is chosen. The kernels are the
default. They are imported at their first use, so that `import numpy_ref` stays light. On a processor
without FMA the definition is the default: there the kernels' product takes a thousand times as long.
"""

import importlib
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any

from .checks import check_choice
from .types import Implementation

_MODULES = {"numpy": "numpy_ref.ops", "numba": "numpy_ref.kernels"}
# A name, a namespace of ops, or "" for the default_ops() of this processor.
_chosen: ContextVar[Any] = ContextVar("numpy_ref.use_ops", default="")


class _Ops:
    """Look an op up in the implementation that is chosen at that moment."""

    def __getattr__(self, name: str) -> Any:
        chosen = _chosen.get()
        return getattr(_module(chosen) if isinstance(chosen, str) else chosen, name)


@cache
def _module(implementation: str) -> Any:
    return importlib.import_module(_MODULES[implementation or default_ops()])


if TYPE_CHECKING:
    from . import ops  # the kernels have the same signatures

    F = ops
else:
    F = _Ops()


def default_ops() -> str:
    """Return what modules use outside `use_ops`: "numba", or "numpy" on a processor without FMA."""
    return "numba" if importlib.import_module("numpy_ref.kernels.machine.target").HAS_FMA else "numpy"


@contextmanager
def use_ops(implementation: Implementation) -> Generator[None]:
    """Let modules compute with "numpy" (the definition) or "numba" (the kernels) within the block.

    implementation: one of the two names, or any other namespace of ops: an object with functions named
        as in `numpy_ref.ops`, say to trace them or to try another implementation of one.

    The choice holds for this thread or asyncio task and the tasks that it starts; a new thread begins
    with the default. "numba" gives right results on every processor, slowly on one without FMA. Only the
    implementation that ran forward can run backward, so choose for both.
    Raises ValueError for another name.
    """
    if not hasattr(implementation, "attention_forward"):
        check_choice("implementation", implementation, tuple(_MODULES))
    token = _chosen.set(implementation)
    try:
        yield
    finally:
        _chosen.reset(token)


def num_threads() -> int:
    """Return the number of threads that the kernels use."""
    return _threads().num_threads()


def set_num_threads(n: int) -> None:
    """Let the kernels use n threads, the calling one included. The results keep their bits.

    By default they use NUMBA_NUM_THREADS, or as many threads as this process has processors.
    Raises TypeError/ValueError unless n is an integer from 1 to 1024.
    """
    _threads().set_num_threads(n)


def _threads() -> Any:
    return importlib.import_module("numpy_ref.kernels.machine.threads")
