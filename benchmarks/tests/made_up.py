"""A small made-up result for the tests of the report."""

from benchmarks.check import Check
from benchmarks.entry import BOTH, FORWARD
from benchmarks.memory import Memory
from benchmarks.race import Line, Race
from benchmarks.result import Result
from benchmarks.settings import Settings

GOOD = Check("out", 0.25, 1e-7)


def line(*seconds, check=GOOD):
    return Line(check, 2.0, list(seconds))


def race(suite, work, part, times, check=GOOD, **sizes):
    """Return a Race; times: {contestant: seconds of each round}; check: numba's Check."""
    lines = {name: line(*t, check=check if name == "numba" else GOOD) for name, t in times.items()}
    return Race(suite, work, part, lines, {"flex_attention": "has no backward"}, sizes)


TIMES = {"numpy": [4.0, 4.0, 4.0], "numba": [1.0, 1.5, 1.0], "torch sdpa": [2.0, 2.0, 2.5]}
PAIR = {"numba": [1.0, 1.0, 1.0], "numba, 1 thread": [1.9, 1.9, 1.9], "torch eager": [2.0, 2.0, 2.0]}


def result(check=GOOD, device="cpu"):
    """Return a Result; check: numba's Check in the first race."""
    gain = {"median": 1.9, "low": 1.8, "high": 2.0}
    machine = {"processor": "made up", "cores": 2, "gain": gain, "versions": {"numpy": "2"}}
    sizes = {"window": 7, "tokens": 49, "batch": 4, "flops": 10e9}
    races = [
        race("attention", "7², 4 × 3 heads", FORWARD, TIMES, check, **sizes),
        race("attention", "7², 4 × 3 heads", BOTH, TIMES, **sizes),
        race("length", "7²", BOTH, TIMES, **sizes),
        race("length", "8²", BOTH, TIMES, **sizes | {"tokens": 64}),
        race("threads", "7²", BOTH, PAIR, **sizes),
    ]
    memories = [
        Memory("attention", "7²", "numba", 49, 10.0, 100.0),
        Memory("attention", "7²", "torch eager", 49, 40.0, 400.0),
        Memory("attention", "7²", "torch sdpa", 49, None, None, "killed"),
    ]
    rates = {"numpy": 20e9, "torch": 18e9}
    return Result(Settings(device=device), machine, rates, races, memories)
