"""A race: contestants do the same work, are checked against the float64 truth, then timed in turns."""

import time
from dataclasses import dataclass, field

import numpy_ref
from parity_tests.rounded import RoundedOps
from parity_tests.yardstick import yardsticks

from . import timing, workloads
from .check import Check, check
from .contestants import compiles, is_ours, make, of_torch

DRAWS = 4  # random roundings of plain NumPy; few suffice, as large work averages over many errors


@dataclass(frozen=True)
class Line:
    """One contestant's check, seconds of its first call (with compilation) and of each round."""

    check: Check
    first_call: float
    seconds: list


@dataclass(frozen=True)
class Race:
    """The result of a race: lines {contestant: Line}, absent {contestant: why}, sizes {name: number}."""

    suite: str
    work: str
    part: str
    lines: dict
    absent: dict = field(default_factory=dict)
    sizes: dict = field(default_factory=dict)

    @property
    def fastest_torch(self):
        """The torch contestant with the smallest median, or None."""
        theirs = [name for name in self.lines if of_torch(name)]
        return min(theirs, key=lambda name: self.time(name).median, default=None)

    def time(self, name):
        return timing.spread(self.lines[name].seconds)

    def ratio(self, name, reference):
        """Return the spread of the ratio time(name) / time(reference), taken round by round."""
        return timing.ratio(self.lines[name].seconds, self.lines[reference].seconds)


def run(entry, settings):
    """Make, check and time the entry's contestants and return the Race.

    An error of the NumPy twin is raised; any other contestant's is noted in `absent`.
    """
    given = workloads.inputs_of(entry.work)
    contestants, results, first_calls, absent = {}, {}, {}, {}
    forget_compiled()
    for name in entry.places:
        if settings.quick and compiles(name):
            absent[name] = "is compiled, which --quick leaves out"
            continue
        try:
            contestant = make(entry.places, name, entry.work, given, entry.backward, settings.device)
            results[name], first_calls[name] = first_call(contestant)
        except Exception as error:  # compilers and other packages raise what they like
            if is_ours(name):
                raise
            absent[name] = reason(error)
        else:
            contestants[name] = contestant
    checks = _checks(entry, given, results)
    del results, given
    seconds = timing.take_turns(contestants, settings.rounds)
    lines = {name: Line(checks[name], first_calls[name], seconds[name]) for name in contestants}
    return Race(entry.suite, entry.work.name, entry.part, lines, absent, entry.sizes)


def first_call(contestant):
    """Call the contestant once and return ({name: array}, seconds, including any compilation)."""
    with contestant.within():
        started = time.perf_counter()
        result = contestant.run()
        seconds = time.perf_counter() - started
        return contestant.named(result), seconds


def truth_of(entry, given):
    """Return {name: array}, computed by plain NumPy in float64 from the same values."""
    given = workloads.in_float64(given)
    contestant = make(entry.places, "numpy", entry.work, given, entry.backward)
    return first_call(contestant)[0]


def costs_of(entry, given):
    """Return {name: Yardstick}: the truth, and the error of plain NumPy with float32 rounding."""
    truth = truth_of(entry, given)

    def run(rounding):
        contestant = make(entry.places, "numpy", entry.work, workloads.in_float64(given), entry.backward)
        with numpy_ref.use_ops(RoundedOps(rounding)):
            return entry.settle(truth, contestant.named(contestant.run()))

    return yardsticks(truth, run, "float32", DRAWS)


def _checks(entry, given, results):
    """Return {contestant: Check}."""
    costs = costs_of(entry, given)
    truth = {name: cost.truth for name, cost in costs.items()}
    return {name: check(costs, entry.settle(truth, result)) for name, result in results.items()}


def forget_compiled():
    """Clear torch.compile's caches: each race compiles for its shapes only, as a program would."""
    import torch

    torch.compiler.reset()


def reason(error):
    """Return the first line of the error's message, or its type where there is no message."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
