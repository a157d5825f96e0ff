"""The report of `make parity-third-party`: a line per agreement and twin, and the skips."""

import json
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path

import numpy as np
from torch import nn

from ..report import number, versions, write_whole

LIBRARIES = ("timm", "torchvision", "transformers")
COLUMNS = ("test", "scheme", "original", "version", "dtype", "tensors", "twin", "share of budget", "")


@dataclass(frozen=True)
class Line:
    """The result of one agreement with one twin."""

    test: str
    scheme: str
    original: str
    version: str
    dtype: str
    twin: str
    tensors: dict  # {name: share of the budget}

    @property
    def worst(self):
        return float(np.max(list(self.tensors.values())))  # np.max keeps NaN

    def cells(self):
        failed = [name for name, share in self.tensors.items() if not share <= 1]
        verdict = f"FAIL {failed[0]}" if failed else "ok"
        name = self.test.rpartition("::")[2]
        share = f"{100 * self.worst:.2g}%"
        where = (name, self.scheme, self.original, self.version, self.dtype)
        return (*where, str(len(self.tensors)), self.twin, share, verdict)


@dataclass
class Outcome:
    """The results and skips of the session so far."""

    lines: dict = field(default_factory=dict)  # {test: Line}
    skips: dict = field(default_factory=dict)  # {test or file: reason}
    partial: bool = False

    def add(self, test, agreement, twin, rows):
        package, name = named(agreement.original)
        version = metadata.version(package.replace("_", "-"))
        shares = {}
        for row in rows:  # in float32 two rows per tensor: the original's and ours
            shares[row.tensor] = np.maximum(shares.get(row.tensor, 0.0), row.budget_share)
        where = (agreement.ours.bias_type, name, version, agreement.dtype, twin)
        self.lines[test] = Line(test, *where, shares)

    def add_bridge(self, test, report, rows):
        """Add a pair of formats of the converter; report: experiments.convert's."""
        pair = (report.source, report.target)
        version = ", ".join(metadata.version(name) for name in pair if name in LIBRARIES)
        shares = {row.tensor: row.budget_share for row in rows}
        where = (report.family, " -> ".join(pair), version, "float64", "")
        self.lines[test] = Line(test, *where, shares)

    def note_skip(self, report):
        """Record a skip in this folder; report: of a collection or a test, from any folder."""
        if report.skipped and Path(__file__).parent.name in Path(report.nodeid.partition("::")[0]).parts:
            self.skips[report.nodeid] = report.longrepr[2].removeprefix("Skipped: ")

    def summary(self):
        shares = [line.worst for line in self.lines.values()]
        failed = sum(not share <= 1 for share in shares)
        listed = ", ".join(f"{name} {version}" for name, version in versions().items())
        counts = f"{len(shares)} agreements, {failed} over budget, {len(self.skips)} skipped"
        return f"{counts}, largest share {np.max(shares):.1%}\nversions {listed}"

    def text(self):
        table = [COLUMNS, *(line.cells() for line in self.lines.values())]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        padded = ("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in table)
        skips = [f"skipped {test}: {reason}" for test, reason in self.skips.items()]
        return "\n".join([*(row.rstrip() for row in padded), *skips, "", self.summary()])

    def write(self, folder):
        """Write third_party.md and third_party.json into the folder, each replaced whole."""
        folder.mkdir(parents=True, exist_ok=True)
        table = [COLUMNS, ["---"] * len(COLUMNS), *(line.cells() for line in self.lines.values())]
        body = "\n".join(f"| {' | '.join(row)} |" for row in table)
        skips = "\n".join(f"- skipped {test}: {reason}" for test, reason in self.skips.items())
        head = self.summary().replace("\n", "  \n")
        text = f"# Both twins against third parties\n\n{head}\n\n{body}\n\n{skips}".rstrip() + "\n"
        write_whole(folder / "third_party.md", text)
        agreements = [asdict(line) for line in self.lines.values()]
        for line in agreements:
            line["tensors"] = {name: number(share) for name, share in line["tensors"].items()}
        content = {"versions": versions(), "agreements": agreements, "skipped": self.skips}
        write_whole(folder / "third_party.json", json.dumps(content, indent=1) + "\n")


def named(original):
    """Return the package and a name, as ("timm", "timm levit.Attention"), without torch's own parts."""
    parts = original.values() if isinstance(original, nn.ModuleDict) else [original]
    kinds = [type(part) for part in parts if not type(part).__module__.startswith("torch.")]
    package, *_, file = kinds[0].__module__.split(".")
    names = " + ".join(kind.__name__ for kind in kinds)
    return package, f"{package} {file.removeprefix('modeling_')}.{names}"
