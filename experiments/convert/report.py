"""What a conversion did, for people."""

from collections import Counter
from dataclasses import dataclass, field

from .names import glob


@dataclass
class Report:
    """What a conversion did.

    family, source, target: what was recognised, from and to which format.
    mapped: {(old names, new names): number of tensors}; made, dropped, carried, left: {names: number of
    tensors}, with * for the numbers in a name. left: allowed by the caller, not written.
    arguments: of the model here, or None.
    remarks, verified: lines on the file, and on what was compared.
    """

    family: str
    source: str
    target: str
    mapped: Counter = field(default_factory=Counter)
    made: Counter = field(default_factory=Counter)
    dropped: Counter = field(default_factory=Counter)
    carried: Counter = field(default_factory=Counter)
    left: Counter = field(default_factory=Counter)
    arguments: object = None
    remarks: list = field(default_factory=list)
    verified: list = field(default_factory=list)

    @property
    def assumed(self):
        """A line for each argument that the file does not tell."""
        return self.arguments.assumed if self.arguments else ()

    def __str__(self):
        lines = [f"{self.family}: {self.source} -> {self.target}", *self.remarks]
        if self.mapped:
            lines.append(f"mapped   {_count(self.mapped)}")
            for (old, new), number in _paired(self.mapped).items():
                lines += [f"  {old}  {_tensors(number)}", *([f"    -> {new}"] if new != old else [])]
        for title, groups in (
            ("made", self.made),
            ("dropped", self.dropped),
            ("carried", self.carried),
            ("left over, allowed", self.left),
        ):
            if groups:
                lines.append(f"{title:<8} {_count(groups)}")
                lines += [f"  {names}  {_tensors(number)}" for names, number in groups.items()]
        lines += [f"assumed  {line}" for line in self.assumed]
        lines += [f"verified {line}" for line in self.verified]
        return "\n".join(lines)


def grouped(names):
    """Return {name with *: number of names}."""
    return Counter(map(glob, names))


def _paired(groups):
    """Return the groups with a weight and its bias as one, "norm1.{weight,bias}"."""
    paired = {}
    for names, number in groups.items():
        bias = tuple(name.removesuffix("weight") + "bias" for name in names)
        weight = tuple(name.removesuffix("bias") + "weight" for name in names)
        if names[0].endswith(".weight") and groups.get(bias) == number:
            both = tuple(name.removesuffix("weight") + "{weight,bias}" for name in names)
            paired[both] = 2 * number
        elif not (names[0].endswith(".bias") and groups.get(weight) == number):
            paired[names] = number
    return paired


def _count(groups):
    return _tensors(sum(groups.values()))


def _tensors(number):
    return f"{number} tensor{'s' if number > 1 else ''}"
