"""Compile before the first step, and say so, so that the first run of a kernel is no silent wait."""

import sys
from contextlib import contextmanager

KEPT = ", once; the next run finds them on disk"
NOT_KEPT = ", for this run only: there is no folder to keep them in; NUMBA_CACHE_DIR names one"


@contextmanager
def compiled_ahead(backend, dtype):
    """Load and build in the block: at its end the kernels of a step are compiled, if need be.

    The twin that has no kernels has nothing to wait for, nor has a processor without FMA.
    """
    if backend != "numpy" or not _has_kernels():
        yield
        return
    from numpy_ref.kernels import ahead

    say_what_is_compiled()
    with ahead.compiled_ahead(dtype):
        yield


def _has_kernels():
    from numpy_ref.dispatch import default_ops

    return default_ops() == "numba"


def say_what_is_compiled():
    """From now on the first compilation prints a line, and on a terminal each kernel its name.

    What is found on disk is not compiled and says nothing.
    """
    from numba.core import event

    event.register("numba:compile", _listener(event.Listener))


def _listener(base):
    class Compilations(base):
        """Compilations nest: what is named is the outermost."""

        def __init__(self):
            self.depth, self.said = 0, False

        def on_start(self, event):
            if not self.said:
                kept = event.data["dispatcher"].stats.cache_path
                print("compiling the kernels" + (KEPT if kept else NOT_KEPT), flush=True)
                self.said = True
            if self.depth == 0 and sys.stderr.isatty():
                name = event.data["dispatcher"].py_func.__name__
                print(f"\r\x1b[Kcompiling {name} …", end="", file=sys.stderr, flush=True)
            self.depth += 1

        def on_end(self, event):
            self.depth -= 1
            if self.depth == 0 and sys.stderr.isatty():
                print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    return Compilations()
