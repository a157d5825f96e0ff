"""The type of a case, its kinds of inputs, and short functions to write cases."""

import os
from dataclasses import dataclass, field, replace

import numpy as np

SEED = int(os.environ.get("SEED") or 7)  # `make parity SEED=n` draws other values for the same cases


@dataclass(frozen=True)
class Normal:
    """A float input from mean + std · N(0, 1); its gradient is compared too.

    signs: if given, all samples along the first axis are one draw, each times its sign.
    spaced: whether they are, instead, equally spaced from −std to std along the first axis, in a random
        order, so that no two are near each other.
    whole: whether they are rounded to whole numbers. Sums of their products are exact in any order.
    """

    shape: tuple
    mean: float = 0.0
    std: float = 1.0
    signs: tuple | None = None
    spaced: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Denormal:
    """A float input of numbers below the dtype's smallest normal one; its gradient is compared too."""

    shape: tuple


@dataclass(frozen=True)
class Integers:
    """Integers in [0, high)."""

    shape: tuple
    high: int


@dataclass(frozen=True)
class Mask:
    """An additive mask of 0 and −100, as for Swin's shifted windows, drawn at random."""

    shape: tuple


@dataclass(frozen=True, eq=False)
class Fixed:
    """A given array, not drawn: a real index or mask. It has no gradient.

    grids: for an index, (queries' grid, keys' grid, prefix tokens) that it comes from, or None.
    scheme: the bias_type whose index it is, or None.
    """

    values: np.ndarray
    grids: tuple | None = None
    scheme: str | None = None

    @property
    def shape(self):
        return self.values.shape

    @property
    def high(self):
        """One more than the largest entry of an index."""
        return int(self.values.max()) + 1


@dataclass(frozen=True)
class Dropout:
    """A drawn dropout multiplier: each entry is 0 or 1 / (1 − 0.25)."""

    shape: tuple


@dataclass(frozen=True, eq=False)
class Case:
    """A case of the table.

    kind: "op", "function", "scheme", "attention", "block", "vit", "swin_block" or "swin".
    name: the op or the bias_type; variant: what is special.
    inputs: {name: Normal, Integers, …}, the arrays that forward gets.
    options: keyword arguments of the op or the constructor.
    call: further keyword arguments of forward.
    dout: what the output gradient is drawn from; None for N(0, 1).
    seed: of the inputs, weights and output gradients.
    """

    kind: str
    name: str
    variant: str
    inputs: dict = field(default_factory=dict)
    options: dict = field(default_factory=dict)
    call: dict = field(default_factory=dict)
    dout: Normal | None = None
    seed: int = SEED

    @property
    def id(self):
        return f"{self.kind}-{self.name}-{self.variant}"


def op(name, variant, options=None, **inputs):
    return Case("op", name, variant, inputs, options or {})


def function(name, variant, options, **inputs):
    """Return a case of a function of both twins; numpy_ref.resize has it, and name_backward."""
    return Case("function", name, variant, inputs, options)


def scheme(bias_type, variant, num_heads, window_size, call=None, **options):
    options |= {"num_heads": num_heads, "window_size": window_size, "bias_type": bias_type}
    return Case("scheme", bias_type, variant, {}, options, call or {})


def query_scheme(bias_type, variant, num_heads, window_size, shape, keys=None, call=None, **options):
    """Return a case of a scheme that looks at the query.

    shape: (B, Lq, head_dim) of q. keys: Lk if the scheme reads k too.
    """
    batch, length, head_dim = shape
    row = scheme(bias_type, variant, num_heads, window_size, call, head_dim=head_dim, **options)
    inputs = {"q": Normal((batch, num_heads, length, head_dim))}
    if keys is not None:
        inputs["k"] = Normal((batch, num_heads, keys, head_dim))
    return replace(row, inputs=inputs)


def attention(name, variant, shape, num_heads, rpb=None, call=None, **options):
    options |= {"embed_dim": shape[-1], "num_heads": num_heads, "rpb_kwargs": rpb}
    options["use_relative_position"] = rpb is not None
    return Case("attention", name, variant, {"x": Normal(shape)} | (call or {}), options)


def block(name, variant, shape, num_heads, rpb=None, call=None, **options):
    row = attention(name, variant, shape, num_heads, rpb, call, **options)
    return Case("block", name, variant, row.inputs, row.options)


def swin_block(name, variant, shape, num_heads, window_size, **options):
    """Return a case of a Swin block; name: "v1" or "v2"; shape: (B, H, W, C) of x."""
    options |= {"embed_dim": shape[-1], "num_heads": num_heads, "window_size": window_size}
    options["version"] = int(name[1])
    return Case("swin_block", name, variant, {"x": Normal(shape)}, options)


def swin(name, variant, shape, **options):
    """Return a case of a Swin Transformer; name: "v1" or "v2"; shape: (B, C, height, width)."""
    own = {"version": int(name[1]), "img_size": shape[2:], "in_chans": shape[1], "patch_size": 2}
    own |= {"embed_dim": 8, "depths": (2, 2), "num_heads": (2, 4), "num_classes": 5}
    return Case("swin", name, variant, {"images": Normal(shape)}, own | options)


def vit(name, variant, batch, **options):
    options = {"in_chans": 1, "embed_dim": 24, "depth": 2, "num_heads": 3, "num_classes": 5} | options
    images = Normal((batch, options["in_chans"], *options["img_size"]))
    return Case("vit", name, variant, {"images": images}, options)
