"""The report of a run: counts, and the shortest call of each sort of fault."""

from collections import Counter
from dataclasses import dataclass, field

KINDS = {
    "crash": "crashes",
    "hang": "hangs",
    "exception": "exceptions of another type",
    "no name": "messages that name no argument",
    "modified": "inputs that were changed",
    "one accepts": "one side accepts, the other refuses",
    "valid refused": "valid calls that were refused",
    "other type": "sides refuse with different types",
    "differs": "results that differ between sides",
    "spelling": "results that depend on the spelling",
    "accepted": "NaN or −1 accepted as a number",
    "harness": "faults of the harness itself",
}
REFUSALS = ("TypeError", "ValueError")


@dataclass
class Report:
    """The result of a run.

    counts: steps by outcome. faults: {(kind, where, target, spoilt): (count, shortest text, detail)}.
    """

    calls: int = 0
    counts: Counter = field(default_factory=Counter)
    faults: dict = field(default_factory=dict)

    def add(self, kind, where, text, detail, count=1):
        target, how = text.partition("(")[0], text.partition("# spoilt: ")[2]
        before, kept, why = self.faults.get((kind, where, target, how), (0, None, None))
        if kept is None or len(text) < len(kept):
            kept, why = text, detail
        self.faults[kind, where, target, how] = (before + count, kept, why)

    def include(self, plain):
        """Add another report, given by its `as_plain`."""
        self.calls += plain["calls"]
        self.counts.update(plain["counts"])
        for fault in plain["faults"]:
            self.add(**fault)

    def as_plain(self):
        """Return the report as values for JSON."""
        faults = [
            {"kind": kind, "where": where, "text": text, "detail": detail, "count": count}
            for (kind, where, *_), (count, text, detail) in self.faults.items()
        ]
        return {"calls": self.calls, "counts": self.counts, "faults": faults}

    def sorts(self):
        """Return {(kind, where, target): (count, shortest text, detail)}."""
        groups = {}
        for (kind, where, target, _), (count, text, detail) in self.faults.items():
            total, *shortest = groups.get((kind, where, target), (0, text, detail))
            best = min(shortest, (text, detail), key=lambda pair: len(pair[0]))
            groups[kind, where, target] = (total + count, *best)
        return groups

    def listed(self):
        """Return the shortest call of each sort with its fault, as text."""
        return "\n".join(
            f"{kind}: {target}, {where}, {count} times\n    {detail}\n    {text}\n"
            for (kind, where, target), (count, text, detail) in sorted(self.sorts().items())
        )

    def table(self):
        """Return a short table of the counts, as text."""
        refused = sum(self.counts[name] for name in REFUSALS)
        lines = [f"{'calls':40}{self.calls:>8}", f"{'steps accepted':40}{self.counts['accepted']:>8}"]
        lines += [f"{'steps refused':40}{refused:>8}  {_counted(self.counts, REFUSALS)}"]
        found, others = Counter(), Counter()
        for (kind, *_), (count, *_) in self.faults.items():
            found[kind if kind in KINDS else "exception"] += count
            others[kind] += count if kind not in KINDS else 0
        for kind, meaning in KINDS.items():
            more = f"  {_counted(others, others)}" if kind == "exception" else ""
            lines.append(f"{meaning:40}{found[kind]:>8}{more}".rstrip())
        return "\n".join(lines)


def _counted(counts, names):
    return ", ".join(f"{name} {counts[name]}" for name in sorted(names) if counts[name])
