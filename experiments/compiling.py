"""Compile the kernels before the first step and print that, so that the user knows why it waits."""

import sys
from contextlib import contextmanager

KEPT = ", once; the next run finds them on disk"
NOT_KEPT = ", for this run only: no cache folder is writable; set NUMBA_CACHE_DIR to one"


@contextmanager
def compiled_ahead(backend, dtype, cosine=False):
    """Compile the kernels of a step while the block loads and builds; wait for them at its end.

    cosine: whether the model has cosine attention.
    Does nothing for the torch twin or on a processor without FMA, where the kernels are not used.
    """
    if backend != "numpy" or not _has_kernels():
        yield
        return
    from numpy_ref.kernels import ahead

    say_what_is_compiled()
    with ahead.compiled_ahead(dtype, cosine):
        yield


def _has_kernels():
    from numpy_ref.dispatch import default_ops

    return default_ops() == "numba"


def say_what_is_compiled():
    """Print a line at the first compilation from now on and, on a terminal, each kernel's name.

    A kernel that is loaded from disk is not compiled and prints nothing.
    """
    from numba.core import event

    event.register("numba:compile", _listener(event.Listener))


def _listener(base):
    class Compilations(base):
        """Names the outermost of nested compilations."""

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
