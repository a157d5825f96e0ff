"""The one switch between the definition (`numpy_ref.ops`) and the numba kernels (`numpy_ref.kernels`).

Modules call `F.linear_forward(...)`; F looks the name up in whichever of the two is chosen. The
kernels are the default and are imported at their first use, so that importing numpy_ref stays light.
"""

import importlib
from contextlib import contextmanager

from .checks import check_choice

_MODULES = {"numpy": "numpy_ref.ops", "numba": "numpy_ref.kernels"}
_chosen = "numba"


class _Ops:
    def __getattr__(self, name):
        return getattr(importlib.import_module(_MODULES[_chosen]), name)


F = _Ops()


@contextmanager
def use_ops(implementation):
    """Within the block modules compute with "numpy" (the definition) or "numba" (the kernels).

    What one of them remembers in forward only its own backward can read: choose for both.
    """
    global _chosen
    check_choice("implementation", implementation, tuple(_MODULES))
    before, _chosen = _chosen, implementation
    try:
        yield
    finally:
        _chosen = before
