"""Everything that a run has measured, and its form as JSON."""

import json
import math
from dataclasses import asdict, dataclass, field

from . import machine
from .contestants import is_ours
from .memory import Memory
from .race import Race
from .settings import Settings


@dataclass
class Result:
    """A run's measurements; rates: {library: flop per second of large products}, see machine.rates."""

    settings: Settings
    machine: dict
    rates: dict
    races: list[Race] = field(default_factory=list)
    memories: list[Memory] = field(default_factory=list)

    @property
    def rate(self):
        """The highest rate measured on the CPU, in flop per second."""
        return max(rate for library, rate in self.rates.items() if library != "cuda")

    @property
    def wrong(self):
        """[(race, contestant)] of every contestant over its error budget."""
        return [
            (race, name) for race in self.races for name in race.lines if not race.lines[name].check.ok
        ]

    @property
    def ours_are_right(self):
        return not any(is_ours(name) for _, name in self.wrong)

    def of_suite(self, suite):
        return [race for race in self.races if race.suite == suite]

    def memory(self, kind, work, contestant):
        """Return the Memory of this kind, work and contestant, or None."""
        found = (m for m in self.memories if (m.kind, m.work, m.contestant) == (kind, work, contestant))
        return next(found, None)


def begin(settings):
    return Result(settings, machine.describe(settings.device), machine.rates(settings.device))


def end(result):
    """Measure the rates again and keep the better: the machine may have been busy at the start."""
    for library, rate in machine.rates(result.settings.device).items():
        result.rates[library] = max(rate, result.rates[library])


def to_json(result):
    return json.dumps(_finite(asdict(result)), indent=1, ensure_ascii=False) + "\n"


def _finite(value):
    """Return the value with inf and NaN as strings, since JSON has neither."""
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
