"""Sizes read off the shapes of tensors, and held against each other."""

import re

OF_A_BLOCK = ("x", "y", "z")
TERM = re.compile(r"(\d*)([A-Za-z]?)")


class Sizes:
    """The value of each letter in the shapes of a family's rules.

    sizes["D"] is one of the model, sizes["d"] a list with one per stage or layer, None if it is nowhere.
    x, y and z are sizes of one block, and are not told.
    """

    def __init__(self):
        self._known = {}  # {(letter, stage or ()): (value, the name that told it)}

    def __getitem__(self, letter):
        if letter.isupper():
            return self._known.get((letter, ()), (None,))[0]
        stages = {
            stage[0]: value for (known, stage), (value, _) in self._known.items() if known == letter
        }
        return [stages.get(stage) for stage in range(max(stages) + 1)] if stages else None

    def bind(self, name, shape, terms, at):
        """Note the sizes in the shape of a tensor; raises ValueError if another tensor contradicts.

        terms: of the rule, as "3d d"; at: the numbers in its name.
        """
        parsed = parse(terms)
        if len(shape) == len(parsed):
            for length, (factor, letter) in zip(shape, parsed, strict=True):
                if letter and length % factor == 0:
                    self._known.setdefault(_key(letter, at), (length // factor, name))
        expected, told = self.expected(terms, at)
        if tuple(shape) != expected:
            because = sorted(set(told) - {name})
            others = f" as {' and '.join(because)}" if because else ""
            raise ValueError(f"{name} has shape {shape}, expected {text(expected)}{others}")

    def expected(self, terms, at):
        """Return (the shape, with letters for unknown sizes, the names that tell the known ones)."""
        shape, told = [], []
        for factor, letter in parse(terms):
            value, name = self._known.get(_key(letter, at), (None, None)) if letter else (1, None)
            shape.append(f"{factor if factor > 1 else ''}{letter}" if value is None else factor * value)
            told += [name] if name else []
        return tuple(shape), told


def parse(terms):
    """Return [(factor, letter)] of a rule's shape, as [(3, "d"), (1, "d")] of "3d d"."""
    found = (TERM.fullmatch(term).groups() for term in terms.split())
    return [(int(factor or 1), letter) for factor, letter in found]


def _key(letter, at):
    if letter in OF_A_BLOCK:
        return letter, at
    return letter, () if letter.isupper() else at[:1]


def text(shape):
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
