"""The work that is timed on a GPU, and the small piece of it by which a contestant is judged."""

import math
from dataclasses import dataclass, replace

import torch

import numpy_ref
from parity_tests.cases._case import Fixed, Normal, op, swin_block
from torch_impl.ops import Offsets

SEED = 13
SMALL_BATCH, SMALL_LENGTH = 2, 128


@dataclass(frozen=True)
class Attention:
    """Attention over a grid, or over a sequence of one axis, with a row of the table per offset.

    size: tokens along each axis; batch: sequences (windows).
    """

    size: tuple
    batch: int
    heads: int
    head_dim: int

    @property
    def tokens(self):
        return math.prod(self.size)

    @property
    def suite(self):
        return "windows" if len(self.size) == 2 else "length"

    @property
    def name(self):
        if self.suite == "windows":
            return f"{self.size[0]}², {self.batch} windows, {self.heads} heads of {self.head_dim}"
        return f"L = {self.tokens}, {self.batch} × {self.heads} heads of {self.head_dim}"

    @property
    def compiled_for(self):
        """What compiled code depends on; batch and length may differ."""
        return (self.suite, self.size if self.suite == "windows" else None, self.heads, self.head_dim)

    @property
    def shape(self):
        return (self.batch, self.heads, self.tokens, self.head_dim)

    @property
    def rows(self):
        return math.prod(2 * n - 1 for n in self.size)

    def small(self):
        """Return a piece of the work: two windows, or two short sequences."""
        size = self.size if self.suite == "windows" else (min(self.tokens, SMALL_LENGTH),)
        return replace(self, size=size, batch=min(self.batch, SMALL_BATCH))

    def case(self):
        """Return the work as a case of the parity tests."""
        kind = "2d" if self.suite == "windows" else "1d"
        index = Fixed(numpy_ref.RelativePositionBias(1, self.size, bias_type=kind).index)
        qkv = {name: Normal(self.shape) for name in ("q", "k", "v")}
        return op("attention", self.name, **qkv, table=Normal((self.rows, self.heads)), index=index)

    def offsets(self, device):
        """Return the index as `Offsets`: the rows are in the order of the offsets, as in Swin."""
        return Offsets.of_grids(self.size, self.size, torch.arange(self.rows, device=device))

    def inputs(self, dtype, device):
        """Return random {name: tensor}: q, k, v, table, and the output's gradient dout."""
        shapes = dict.fromkeys(("q", "k", "v", "dout"), self.shape) | {"table": (self.rows, self.heads)}
        return drawn(shapes, dtype, device)


@dataclass(frozen=True)
class Block:
    """A block of a Swin with shifted windows: x (batch, side, side, width)."""

    window: int
    side: int
    batch: int
    width: int
    heads: int

    suite = "swin block"

    @property
    def tokens(self):
        return self.side**2

    @property
    def name(self):
        windows = self.batch * (self.side // self.window) ** 2
        return f"{self.window}², {windows} windows, width {self.width}, {self.heads} heads"

    @property
    def compiled_for(self):
        return (self.suite, replace(self, batch=1))

    def small(self):
        return replace(self, side=2 * self.window, batch=1)  # all four kinds of shifted windows

    def case(self):
        shape, shift = (self.batch, self.side, self.side, self.width), self.window // 2
        return swin_block("v1", self.name, shape, self.heads, self.window, shift_size=shift)

    def inputs(self, dtype, device):
        """Return random {name: tensor}: x, and the output's gradient dout."""
        shape = (self.batch, self.side, self.side, self.width)
        return drawn({"x": shape, "dout": shape}, dtype, device)


def drawn(shapes, dtype, device):
    """Return {name: tensor} from N(0, 1)."""
    generator = torch.Generator(device).manual_seed(SEED)
    options = {"dtype": dtype, "device": device, "generator": generator}
    return {name: torch.randn(shape, **options) for name, shape in shapes.items()}
