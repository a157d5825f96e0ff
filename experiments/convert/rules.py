"""A family of checkpoints as a table: a rule per tensor, a column per format.

A family's model has a tensor per rule and layer, as the fused "layers.{i}.blocks.{j}.attn.qkv.weight".
Each format says how it stores that tensor. So one pair of formats is like another: read the tensors from
one, write them in the other.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from .names import Pattern

# The original files are called after who published them.
FORMATS = ("timm", "torchvision", "transformers", "microsoft", "facebook", "google", "here")


@dataclass(frozen=True)
class Transform:
    """A reordering of a tensor's elements: `read` gives this project's order, `write` the format's.

    Both take an array and return one.
    """

    read: Callable
    write: Callable


TRANSPOSED = Transform(np.transpose, np.transpose)


@dataclass(frozen=True)
class Via:
    """A name, or a tuple of names, whose tensor is reordered by a Transform."""

    name: str | tuple
    transform: Transform


@dataclass(frozen=True)
class Stored:
    """How a format stores a tensor: in pieces along the first axis, reordered as a whole.

    pieces: Patterns; None is a piece of zeros that is not stored.
    """

    pieces: tuple
    transform: Transform | None = None

    @property
    def glob(self):
        """The names with * for numbers, pieces as "attn.{q_bias,0,v_bias}", 0 for one not stored."""
        names = [piece.glob.split(".") for piece in self.pieces if piece]
        if len({len(parts) for parts in names}) > 1:
            return " + ".join(piece.glob if piece else "0" for piece in self.pieces)
        return ".".join(map(self._beside, zip(*names, strict=True)))

    def _beside(self, parts):
        """Return what all pieces' names have at one place, or all of it in braces."""
        if len(set(parts)) == 1:
            return parts[0]
        each = iter(parts)
        return f"{{{','.join(next(each) if piece else '0' for piece in self.pieces)}}}"


@dataclass(frozen=True)
class Rule:
    """A tensor of the model.

    shape: a size per axis, as "3d d". A capital is a size of the model, a small letter one of the stage
        or layer, which is the first place of the name; x, y and z are sizes of the one block.
    stored: {format: Stored}. optional: may be missing, but then in every layer, and with all rules that
        have the same `group`. some: may be missing in any layer.
    first: the first layer that has it.
    tells: whether its name tells the family, as a position table's does.
    """

    shape: str
    stored: Mapping
    group: str
    optional: bool = False
    first: int = 0
    tells: bool = False
    some: bool = False

    @cached_property
    def letters(self):
        return next(piece.letters for piece in next(iter(self.stored.values())).pieces if piece)


@dataclass(frozen=True)
class Buffer:
    """What a format stores though it follows from the rest: an index, coordinates, a mask.

    shape: as in Rule; names: {format: Pattern} of the formats that may have it.
    written: the formats whose models ask for it.
    make(arguments, at): return the array, or None where a layer has none. first: as in Rule.
    """

    shape: str
    names: Mapping
    written: tuple
    make: Callable
    first: int = 0
    some = False

    @cached_property
    def letters(self):
        return next(iter(self.names.values())).letters


@dataclass(frozen=True)
class Arguments:
    """What tensors and options tell of a model: `architecture` and its constructor arguments here.

    assumed: a line for each argument that nothing tells.
    """

    architecture: str
    values: Mapping
    assumed: tuple = ()


@dataclass(frozen=True)
class Family:
    """One kind of model.

    arguments(model, options): return its Arguments; raises ValueError if they cannot be told.
        options: {one of config_beside.OPTIONS: value or None}.
    aliases: {format: ((regular expression, replacement), …)}, other names that a format had or has.
    numbering: {format: Numbering} of the formats that number layers otherwise than the rules.
    carries: names without a rule are kept as they are: `here` has the position tables only.
    models: {format: build(values of the Arguments)}, which returns that library's untrained model.
    """

    name: str
    formats: tuple
    rules: tuple
    buffers: tuple = ()
    arguments: Callable | None = None
    aliases: Mapping = field(default_factory=dict)
    numbering: Mapping = field(default_factory=dict)
    carries: bool = False
    models: Mapping = field(default_factory=dict)

    def numbered(self, form, name, depths):
        """Return a name of the rules as the format has it."""
        return self.numbering[form].write([name], depths)[0] if form in self.numbering else name


class Place:
    """A part of a model, as a block: the prefix of its names in each format.

    A format that is not mentioned has this project's prefix and, in `rule`, this project's name.
    """

    def __init__(self, formats, here, **others):
        self.prefixes = dict.fromkeys(formats, here) | others

    def rule(
        self, shape, here, *, group=None, optional=False, first=0, tells=False, some=False, **others
    ):
        """Return the rules for one name in every format: a string, or a tuple of pieces, or Via.

        A name that ends in "*" is a weight and a bias; shape is the weight's, its first size the bias'.
        None says that the format has no such tensor. group: see Rule; by default the name.
        """
        names = dict.fromkeys(self.prefixes, here) | others
        ends = {"weight": shape, "bias": shape.split()[0]} if str(here).endswith("*") else {"": shape}
        group = f"{self.prefixes['here']}{group or here}"
        return tuple(
            Rule(size, self._stored_in_all(names, end), group, optional, first, tells, some)
            for end, size in ends.items()
        )

    def buffer(self, shape, make, written=(), first=0, **names):
        """Return the Buffer of a name in those formats that may have it."""
        patterns = {form: self._pattern(form, name) for form, name in names.items()}
        return Buffer(shape, patterns, written, make, first)

    def _stored_in_all(self, names, end):
        return {form: self._stored(form, name, end) for form, name in names.items() if name is not None}

    def _stored(self, form, name, end):
        if isinstance(name, Via):
            return Stored(self._stored(form, name.name, end).pieces, name.transform)
        pieces = name if isinstance(name, tuple) else (name,)
        return Stored(tuple(piece and self._pattern(form, piece, end) for piece in pieces))

    def _pattern(self, form, name, end=""):
        return Pattern(self.prefixes[form] + (name.removesuffix("*") + end if end else name))
