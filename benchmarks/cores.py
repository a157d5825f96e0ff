"""What more cores than one are worth here: arithmetic in registers, by all threads over by one.

No kernel can gain more from threads than what needs neither memory nor glue, and a machine that is
shared with others gives less than its number of cores.
"""

import threading

from numba import njit

import numpy_ref

from . import timing

TERMS, ROUNDS = 1 << 22, 30  # about 8 ms of work a thread, as long as attention's own jobs


def gain():
    """Spread of n · (seconds alone) / (seconds of n threads at once, each at as much work)."""
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
    """Four sums that do not wait for one another."""
    a = b = c = d = 1.0
    for _ in range(terms):
        a = a * 0.999 + 1.0
        b = b * 0.998 + 1.0
        c = c * 0.997 + 1.0
        d = d * 0.996 + 1.0
    return a + b + c + d
