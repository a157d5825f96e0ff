"""Dropout and stochastic depth: a random multiplier, drawn once per element or once per sample."""

from collections.abc import Callable

import torch
from torch import Tensor

from . import ops
from .checks import check_probability
from .draw_op import draw, source_of
from .gate import floating
from .module import Module
from .random import as_generator, dropout_multiplier
from .types import Generator


class Dropout(Module):
    """Multiply by 0 or 1/(1−rate), one draw per element; in evaluation this is the identity.

    rate: the probability of 0.
    """

    def __init__(self, rate: float = 0.0, generator: Generator | None = None):
        super().__init__()
        self.rate: float = check_probability(rate=rate)
        self._source = source_of(as_generator(generator))

    @property
    def generator(self) -> Generator:
        """What the multiplier is drawn from."""
        return self._source.generator

    @generator.setter
    def generator(self, generator: Generator | None) -> None:
        self._source = source_of(as_generator(generator))

    def draw(self, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor | None:
        """Return the multiplier for this shape, or None if nothing is dropped."""
        if not self.training or self.rate == 0:
            return None
        drawn = self.mask_shape(shape), self.rate, dtype, device
        if torch.compiler.is_compiling():
            return draw(self._source.number, *drawn)
        return dropout_multiplier(self.generator, *drawn)

    def mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the draw for an input of this shape."""
        return shape

    def forward(self, x: Tensor) -> Tensor:
        (x,) = floating(x=x)
        multiplier = self.draw(x.shape, x.dtype, x.device)
        return x if multiplier is None else ops.dropout(x, multiplier)

    def add(
        self, residual: Tensor | None, branch: Callable[..., Tensor], *inputs: Tensor | None
    ) -> Tensor:
        """Return residual + drop(branch(*inputs)), or only the branch if residual is None."""
        out = branch(*inputs)
        if residual is None:
            return self(out)
        return ops.residual(residual, out, self.draw(out.shape, out.dtype, out.device))


class DropPath(Dropout):
    """Stochastic depth (arXiv 1603.09382): one draw per sample drops the whole branch."""

    def mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        if not shape:
            raise ValueError("x has shape (), expected the batch as its first axis")
        return (shape[0],) + (1,) * (len(shape) - 1)
