"""Layers that a format counts otherwise: through all stages, or together with what is between them."""

from collections.abc import Callable
from dataclasses import dataclass

from .names import glob


@dataclass(frozen=True)
class Numbering:
    """How a format numbers what a family's rules number by stage and block.

    depths(names): return the number of blocks in each stage, told by the format's names.
    prefixes(depths): return {prefix in the rules: prefix in the format}, for each part of a model.
    """

    depths: Callable
    prefixes: Callable

    def read(self, names):
        """Return the names as the rules have them."""
        ours = {theirs: our for our, theirs in self.prefixes(self.depths(names)).items()}
        return [replaced(name, ours) for name in names]

    def write(self, names, depths):
        """Return the names of the rules as the format has them; also names with * for the numbers."""
        theirs = self.prefixes(depths)
        theirs |= {glob(our): glob(their) for our, their in theirs.items()}
        return [replaced(name, theirs) for name in names]


def replaced(name, prefixes):
    """Return the name with its longest prefix that is in {old: new} replaced."""
    end = len(name)
    while (end := name.rfind(".", 0, end)) >= 0:
        if name[: end + 1] in prefixes:
            return prefixes[name[: end + 1]] + name[end + 1 :]
    return name
