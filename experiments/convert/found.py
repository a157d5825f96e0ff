"""What the names of a file are in one format of a family."""

import re
from dataclasses import dataclass, field

from .names import glob

WRAPPED = "module."  # torch's DistributedDataParallel puts this before every name


class Lookup:
    """Finds what a name is in one format of a family."""

    def __init__(self, family, form):
        self.aliases = [(re.compile(old), new) for old, new in family.aliases.get(form, ())]
        self.candidates = {}
        for number, rule in enumerate(family.rules):
            for piece, pattern in enumerate(rule.stored[form].pieces if form in rule.stored else ()):
                if pattern:
                    self._add(pattern, ("rule", number, piece))
        for number, buffer in enumerate(family.buffers):
            if form in buffer.names:
                self._add(buffer.names[form], ("buffer", number, 0))

    def _add(self, pattern, what):
        self.candidates.setdefault(pattern.key, []).append((pattern, what))

    def usual(self, name):
        """Return the name without what is put before it, an alias as the name it stands for."""
        name = name.removeprefix(WRAPPED)
        for old, new in self.aliases:
            name = old.sub(new, name)
        return name

    def __call__(self, name):
        """Return (kind, number, piece, at): "rule" or "buffer", its position; None if it is neither."""
        for pattern, what in self.candidates.get(glob(name), ()):
            at = pattern.match(name)
            if at is not None:
                return (*what, at)
        return None


@dataclass
class Found:
    """The names of a file, in one format of a family.

    pieces: {(rule, at): {piece: name}}, buffers: {(buffer, at): name}: rule, piece and buffer are
    positions in the family's tables, at the numbers in the name. left: the names that are neither.
    """

    family: object
    form: str
    pieces: dict = field(default_factory=dict)
    buffers: dict = field(default_factory=dict)
    left: list = field(default_factory=list)

    @property
    def telling(self):
        """The names that tell the family."""
        rules = self.family.rules
        pieces = (names.values() for (number, _), names in self.pieces.items() if rules[number].tells)
        return [name for names in pieces for name in names]

    def places(self, rule):
        """Return where a rule's tensors or a buffer are expected: in each layer that has any."""
        if rule.some:
            return [at for number, at in self.pieces if self.family.rules[number] is rule]
        if not rule.letters:
            return [()]
        depths = self.depths(rule.letters[0])
        if len(rule.letters) == 1:
            return [(i,) for i in range(rule.first, len(depths))]
        return [(i, j) for i, depth in enumerate(depths) for j in range(depth)]

    def missing(self):
        """Return [(rule, at, piece)] of the names that the others ask for."""
        present = {self.family.rules[number].group for number, _ in self.pieces}
        return [
            (rule, at, piece)
            for number, rule in enumerate(self.family.rules)
            if self.form in rule.stored and (rule.group in present or not rule.optional)
            for at in self.places(rule)
            for piece, pattern in enumerate(rule.stored[self.form].pieces)
            if pattern and piece not in self.pieces.get((number, at), ())
        ]

    def depths(self, letter):
        """Return the number of blocks in each stage, or a zero per layer where layers have no blocks."""
        inside = [at for number, at in self.pieces if self.family.rules[number].letters[:1] == [letter]]
        longest = max(map(len, inside), default=0)
        blocks = {}
        for stage, *block in (at for at in inside if len(at) == longest):
            blocks[stage] = max(blocks.get(stage, 0), *(j + 1 for j in block), 0)
        return [blocks.get(stage, 0) for stage in range(max(blocks, default=-1) + 1)]


def find(family, form, names):
    """Return the Found of these names; raises ValueError where two are the same tensor."""
    found, lookup = Found(family, form), Lookup(family, form)
    usual = [lookup.usual(name) for name in names]
    if form in family.numbering:
        usual = family.numbering[form].read(usual)
    for name, its_usual in zip(names, usual, strict=True):
        what = lookup(its_usual)
        if what is None:
            found.left.append(name)
            continue
        kind, number, piece, at = what
        known, key = found.buffers, (number, at)
        if kind == "rule":
            known, key = found.pieces.setdefault((number, at), {}), piece
        if key in known:
            raise ValueError(f"{known[key]} and {name} are two names of one tensor")
        known[key] = name
    places = {number: set(found.places(family.rules[number])) for number, _ in found.pieces}
    for number, at in [*found.pieces]:
        if at not in places[number]:  # as a downsampling after the last stage
            found.left += found.pieces.pop((number, at)).values()
    return found
