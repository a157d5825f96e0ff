"""The speed-up that this machine's cores allow at best: arithmetic in registers, all threads over one.

This work needs no memory and no coordination, so no kernel can gain more from threads. A machine that
is shared with others reaches less than its number of cores.
"""

import threading

from numba import njit

import numpy_ref

from . import timing

TERMS, ROUNDS = 1 << 22, 30  # about 8 ms of work per thread, as long as one of attention's jobs


def gain():
    """Return the spread of n · t(1) / t(n), where t(n) is the time of n threads with equal work each."""
    threads = numpy_ref.num_threads()
    _chains(1)
    pairs = [(_seconds(1), _seconds(threads)) for _ in range(ROUNDS)]
    return timing.spread([threads * alone / together for alone, together in pairs])


def _seconds(count):
    team = [threading.Thread(target=_chains, args=(TERMS,)) for _ in range(count)]

    def work():
        for thread in team:
            thread.start()
        for thread in team:
            thread.join()

    return timing.seconds_of(work)


@njit(nogil=True)
def _chains(terms):
    """Compute four independent recurrences, so that the additions overlap."""
    a = b = c = d = 1.0
    for _ in range(terms):
        a = a * 0.999 + 1.0
        b = b * 0.998 + 1.0
        c = c * 0.997 + 1.0
        d = d * 0.996 + 1.0
    return a + b + c + d
