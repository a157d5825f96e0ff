"""The targets for time and memory, compared with the measurements."""

from dataclasses import dataclass

from .entry import BOTH

SMALL_WINDOWS, LARGE_WINDOWS, LARGE = 0.7, 0.5, 32
SHARE_OF_RATE, ALONE, STEP, SWIN, MEMORY, THREADS = 0.4, 0.5, 0.8, 0.7, 0.6, 1.8
NAMES = {
    "attention": "attention, forward + backward",
    "vit": "ViT training step",
    "swin block": "Swin, forward + backward",
    "swin step": "Swin, training step",
}
MINE, EAGER = "numba", "torch eager"


@dataclass(frozen=True)
class Target:
    """A target: `measured` must be at most `goal`, or at least `goal` if `more`."""

    what: str
    work: str
    goal: float
    measured: float
    more: bool = False

    @property
    def met(self):
        return self.measured >= self.goal if self.more else self.measured <= self.goal


def targets(result):
    """Return a Target for each measurement that has a goal; none for CUDA, where numba does not run."""
    if result.settings.device != "cpu":
        return []
    found = []
    for suite, judge in _JUDGES.items():
        for race in result.of_suite(suite):
            if MINE in race.lines:
                found += judge(race, result)
    return found + _memory(result)


def _attention(race, result):
    if race.part != BOTH:
        return []
    goal = LARGE_WINDOWS if race.sizes["window"] >= LARGE else SMALL_WINDOWS
    found = _against_torch("attention, forward + backward: time / fastest torch", race, goal)
    if race.sizes["window"] == 7:
        share = race.sizes["flops"] / race.time(MINE).median / result.rate
        found.append(
            Target(
                "attention, forward + backward: share of the large-matrix rate",
                race.work,
                SHARE_OF_RATE,
                share,
                True,
            )
        )
    return found


def _bias(race, result):
    return _against_torch(f"{race.part}: time / fastest torch", race, ALONE)


def _step(race, result):
    return _against_torch("ViT training step: time / fastest torch", race, STEP)


def _swin(race, result):
    return _against_torch(f"Swin, {race.part}: time / fastest torch", race, SWIN)


def _threads(race, result):
    speedup = race.ratio(f"{MINE}, 1 thread", MINE).median
    what = "attention, forward + backward: speed of all threads / one"
    return [Target(what, race.work, THREADS, speedup, True)]


def _against_torch(what, race, goal):
    fastest = race.fastest_torch
    return [] if fastest is None else [Target(what, race.work, goal, race.ratio(MINE, fastest).median)]


def _memory(result):
    """Return the targets for the work's own memory and for the whole process."""
    found = []
    for mine in (m for m in result.memories if m.contestant == MINE):
        eager = result.memory(mine.kind, mine.work, EAGER)
        name = NAMES[mine.kind]
        if eager is None or eager.whole is None or mine.whole is None:
            continue
        if eager.own and mine.own is not None:
            what = f"{name}: peak memory / torch eager"
            found.append(Target(what, mine.work, MEMORY, mine.own / eager.own))
        what = f"{name}: memory of the process / torch eager"
        found.append(Target(what, mine.work, MEMORY, mine.whole / eager.whole))
    return found


_JUDGES = {"attention": _attention, "bias": _bias, "vit": _step, "swin": _swin, "threads": _threads}
