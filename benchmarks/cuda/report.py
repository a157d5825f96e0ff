"""The tables of a run on a GPU, as a page and as JSON, with the targets."""

import json
from dataclasses import asdict, dataclass, field
from itertools import pairwise

from experiments.pages import wrapped

from ..tables import Table, markdown
from ..targets import Target
from .contestants import ATTENTION, OURS
from .measure import Entry, Line

TIME_GOAL, GROWTH_GOAL = 0.5, 2.2
TITLES = {
    "windows": "Windows with a table of offsets",
    "length": "Over the length of a sequence",
    "swin block": "A Swin block with shifted windows",
}
READING = (
    "Times are medians in ms, by CUDA's events, each call with a cold L2 cache. The CPU has a head "
    "start of about 2 ms, since in training it is ahead of the GPU. × is the ratio to the fastest "
    "contestant that is not ours. Forward + backward has the gradients of q, k, v and of the table; "
    "of a block those of x and of all parameters.",
    "Before it is timed a contestant computes a small piece of the work, and must be within the parity "
    "tests' budget. TF32 is off.",
    "Memory is what a call allocates at most beyond its inputs. sdpa and eager also hold the index.",
    "FlexAttention's code is compiled, and looks the bias up for each pair by offset. sdpa has the bias "
    "as its mask.",
)


@dataclass
class Report:
    """machine: {name: what it is}; lines: [(Entry, Line)]; left: entries not measured in time."""

    machine: dict
    lines: list[tuple[Entry, Line]] = field(default_factory=list)
    left: list[Entry] = field(default_factory=list)

    def races(self):
        """Return {(work, dtype, part): {contestant: Line}}."""
        found = {}
        for entry, line in self.lines:
            found.setdefault((entry.work, entry.dtype, entry.part), {})[entry.contestant] = line
        return found


def targets(report):
    """Return a Target for each time and each growth of memory that has a goal."""
    found = []
    for (work, dtype, part), race in report.races().items():
        ratio = _ratio(race, OURS)
        if part != "forward" and work.suite != "swin block" and ratio is not None:
            what = f"{part}: time / fastest other contestant"
            found.append(Target(what, f"{work.name}, {dtype}", TIME_GOAL, ratio))
    for (shorter, a), (longer, b) in pairwise(sorted(_peaks(report), key=_by_length)):
        if shorter[1:] == longer[1:] and longer[0].tokens == 2 * shorter[0].tokens:
            work, dtype, part = longer
            what = f"{part}: memory / memory of half the length"
            found.append(Target(what, f"{work.name}, {dtype}", GROWTH_GOAL, b / a))
    return found


def _peaks(report):
    """Return [(race, bytes)] of ours over the length."""
    races = report.races().items()
    found = [(key, race[OURS].peak) for key, race in races if OURS in race and key[0].suite == "length"]
    return [(key, peak) for key, peak in found if peak]


def _by_length(pair):
    (work, dtype, part), _ = pair
    return part, dtype, work.tokens


def ours_are_wrong(report):
    """Return whether our kernel was over its budget."""
    mine = [line for entry, line in report.lines if entry.contestant == OURS]
    return any(line.share is not None and not line.right for line in mine)


def page(report):
    """Return the report as Markdown."""
    machine = "\n".join(f"- {name}: {value}" for name, value in report.machine.items())
    parts = ["# Benchmarks on a GPU", "", machine, "", *_tables(report)]
    notes = [*READING, *_wrong_or_absent(report), *_left(report)]
    return "\n".join([*parts, "## Notes", "", wrapped("\n".join(f"- {note}" for note in notes)), ""])


def to_json(report):
    lines = [_flat(entry) | asdict(line) for entry, line in report.lines]
    content = {"machine": report.machine, "lines": lines, "left_out": [_flat(e) for e in report.left]}
    return json.dumps(content, indent=1, ensure_ascii=False, default=str) + "\n"


def _flat(entry):
    named = {"suite": entry.work.suite, "work": entry.work.name, **asdict(entry.work)}
    return named | {"dtype": entry.dtype, "part": entry.part, "contestant": entry.contestant}


def _tables(report):
    found = [_targets(report)]
    for suite, title in TITLES.items():
        races = {key: race for key, race in report.races().items() if key[0].suite == suite}
        found.append(_table(f"{title} (ms)", races, _time))
        found.append(_table(f"{title}: peak memory (MiB)", races, _memory))
    return [markdown(table) for table in found if table.rows]


def _targets(report):
    rows = [
        (t.what, t.work, f"≤ {t.goal:g}", f"{t.measured:.2f}", "yes" if t.met else "NO")
        for t in targets(report)
    ]
    return Table("Targets", ("what", "work", "target", "measured", "met"), rows, 2)


def _table(title, races, cell):
    rows = [
        (work.name, dtype, part, *(cell(race, name) if name in race else "" for name in ATTENTION))
        for (work, dtype, part), race in races.items()
    ]
    return Table(title, ("work", "dtype", "part", *ATTENTION), rows, 3)


def _time(race, name):
    if race[name].median is None:
        return _why(race[name])
    ratio, time = _ratio(race, name), f"{1e3 * race[name].median:.3g}"
    return time if ratio is None else f"{time} (×{ratio:.2f})"


def _memory(race, name):
    line = race[name]
    return _why(line) if line.peak is None else f"{line.peak / 2**20:.1f}"


def _why(line):
    return "out of memory" if line.absent == "out of memory" else "–"


def _ratio(race, name):
    """Return the time over that of the fastest contestant that is not ours, or None."""
    others = [line.median for other, line in race.items() if other != OURS and line.median is not None]
    mine = race[name].median if name in race else None
    return mine / min(others) if others and mine is not None else None


def _wrong_or_absent(report):
    """Name each reason for which there are no numbers, with who and how often."""
    found = {}
    for entry, line in report.lines:
        if line.absent:
            found.setdefault((entry.work.suite, entry.contestant, line.absent), []).append(entry)
    for (suite, contestant, why), entries in found.items():
        yield f"no numbers of {contestant} in {suite} ({len(entries)} of its entries): {why}"


def _left(report):
    if report.left:
        yield f"no time was left for {len(report.left)} more entries, listed in the JSON file"
