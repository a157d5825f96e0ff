"""Contestants take turns in one process: what disturbs the machine disturbs all of them alike.

A number is the median over the rounds, a ratio the median over the ratios of each round.
"""

import math
import statistics
import time
from dataclasses import dataclass

import numpy as np

# Threads spin after their work, PyTorch's OpenMP for 5 ms, NumPy's OpenBLAS for more than 100: whoever
# comes next would be starved of cores. So a turn begins when the process has been idle for a pause.
PAUSE, MOST_PAUSES = 0.02, 100
TURN = 0.2  # a turn lasts at least as long: as in training, what is called was called just before
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
    """Of each round's times: Spread of mine / reference."""
    return spread(np.divide(mine, reference))


def take_turns(contestants, rounds):
    """{name: Contestant} -> {name: [seconds a call, one for each round]}.

    The one that begins moves on by one each round.
    """
    names = list(contestants)
    seconds = {name: [] for name in names}
    for number in range(rounds):
        first = number % max(len(names), 1)
        for name in names[first:] + names[:first]:
            seconds[name].append(take_turn(contestants[name]))
    return seconds


def take_turn(contestant):
    """Seconds of a call: the median over a turn, whose first call is not counted."""
    with contestant.within():
        let_threads_sleep()
        once = seconds_of(contestant.run)
        calls = min(max(1, math.ceil(TURN / max(once, 1e-9))), MOST_CALLS)
        return statistics.median(seconds_of(contestant.run) for _ in range(calls))


def let_threads_sleep():
    """Back when the process has used next to no processor time for a pause, or after MOST_PAUSES."""
    for _ in range(MOST_PAUSES):
        before = time.process_time()
        time.sleep(PAUSE)
        if time.process_time() - before < PAUSE / 10:
            return


def seconds_of(run):
    """What the call returns is let go of within the time: giving memory back is part of the work."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
