"""Compile a loop twice: for one thread, and for all of them where the work is worth waking them."""

from numba import njit

MIN_PARALLEL = 1 << 16  # elements; below, starting the threads costs more than they save


def jit(loop):
    """Returns run(size, *args): the serial or, from MIN_PARALLEL elements on, the parallel version.

    Both are the same loop in the same order per element, so they give the same bits.
    """
    serial, parallel = njit(cache=True)(loop), njit(parallel=True, cache=True)(loop)

    def run(size, *args):
        return (serial if size < MIN_PARALLEL else parallel)(*args)

    return run
