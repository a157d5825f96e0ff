"""Timing in turns in one process, so that other load on the machine affects all contestants alike.

A reported time is the median over the rounds; a ratio is the median of each round's ratio.
"""

import math
import statistics
import time
from dataclasses import dataclass

import numpy as np

# Threads spin after their work, PyTorch's OpenMP for 5 ms, NumPy's OpenBLAS for more than 100 ms, and
# would take cores from the next contestant. So a turn begins after the process was idle for a pause.
PAUSE, MOST_PAUSES = 0.02, 100  # seconds, number
TURN = 0.2  # seconds of a turn at least: calls follow one another at once, as in training
MOST_CALLS = 2000


@dataclass(frozen=True)
class Spread:
    """Median and quartiles."""

    median: float
    low: float
    high: float


def spread(values):
    return Spread(*(float(x) for x in np.percentile(values, [50, 25, 75])))


def ratio(mine, reference):
    """Return the Spread of mine / reference; both are lists of seconds, one for each round."""
    return spread(np.divide(mine, reference))


def take_turns(contestants, rounds):
    """Time all contestants {name: Contestant} and return {name: [seconds per call, one per round]}.

    Each round begins with the next contestant.
    """
    names = list(contestants)
    seconds = {name: [] for name in names}
    for number in range(rounds):
        first = number % max(len(names), 1)
        for name in names[first:] + names[:first]:
            seconds[name].append(take_turn(contestants[name]))
    return seconds


def take_turn(contestant):
    """Return the median seconds of a call over a turn, without the first call."""
    with contestant.within():
        let_threads_sleep()
        once = seconds_of(contestant.run)
        calls = min(max(1, math.ceil(TURN / max(once, 1e-9))), MOST_CALLS)
        return statistics.median(seconds_of(contestant.run) for _ in range(calls))


def let_threads_sleep():
    """Wait until the process uses almost no processor time during a pause, for MOST_PAUSES at most."""
    for _ in range(MOST_PAUSES):
        before = time.process_time()
        time.sleep(PAUSE)
        if time.process_time() - before < PAUSE / 10:
            return


def seconds_of(run):
    """Return the seconds of a call, including the release of the memory of its result."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
