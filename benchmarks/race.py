"""A race: contestants do the same work, are checked against the truth, then timed in turns."""

import time
from dataclasses import dataclass, field

import numpy_ref
from parity_tests.rounded import RoundedOps
from parity_tests.yardstick import yardsticks

from . import timing, workloads
from .check import Check, check
from .contestants import compiles, is_ours, make, of_torch

DRAWS = 4  # of the definition with random rounding: the work is large, and rounding errors are many


@dataclass(frozen=True)
class Line:
    """One contestant: its check, seconds of its first call (compilers included) and of each round."""

    check: Check
    first_call: float
    seconds: list


@dataclass(frozen=True)
class Race:
    """work on what; lines {contestant: Line}; absent {contestant: why}; sizes {name: number}."""

    suite: str
    work: str
    part: str
    lines: dict
    absent: dict = field(default_factory=dict)
    sizes: dict = field(default_factory=dict)

    @property
    def fastest_torch(self):
        """The torch contestant with the least median, or None."""
        theirs = [name for name in self.lines if of_torch(name)]
        return min(theirs, key=lambda name: self.time(name).median, default=None)

    def time(self, name):
        return timing.spread(self.lines[name].seconds)

    def ratio(self, name, reference):
        """Spread of the time of `name` over that of `reference`, round by round."""
        return timing.ratio(self.lines[name].seconds, self.lines[reference].seconds)


def run(entry, settings):
    """Make, check and time them; raises what one of ours raises, others are absent with the reason."""
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
    """({name: array}, seconds) of the call that compiles whatever is to be compiled."""
    with contestant.within():
        started = time.perf_counter()
        result = contestant.run()
        seconds = time.perf_counter() - started
        return contestant.named(result), seconds


def truth_of(entry, given):
    """{name: array}: what the definition computes in float64 from the same values."""
    given = workloads.in_float64(given)
    contestant = make(entry.places, "numpy", entry.work, given, entry.backward)
    return first_call(contestant)[0]


def costs_of(entry, given):
    """{name: Yardstick}: the truth, and what rounding to float32 costs the definition."""
    truth = truth_of(entry, given)

    def run(rounding):
        contestant = make(entry.places, "numpy", entry.work, workloads.in_float64(given), entry.backward)
        with numpy_ref.use_ops(RoundedOps(rounding)):
            return entry.settle(truth, contestant.named(contestant.run()))

    return yardsticks(truth, run, "float32", DRAWS)


def _checks(entry, given, results):
    """{name: Check} of every contestant."""
    costs = costs_of(entry, given)
    truth = {name: cost.truth for name, cost in costs.items()}
    return {name: check(costs, entry.settle(truth, result)) for name, result in results.items()}


def forget_compiled():
    """Each race compiles for its own shapes, as a program with one shape would."""
    import torch

    torch.compiler.reset()


def reason(error):
    """The first line of an error's message."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
