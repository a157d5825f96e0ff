"""Dropout and stochastic depth: a random multiplier, drawn once per element or once per sample."""

from collections.abc import Callable

import numpy as np

from .checks import check_probability
from .dispatch import F
from .gate import floating
from .module import Module
from .random import as_generator, dropout_multiplier
from .types import Array, Generator

_NOTHING_DROPPED = object()


class Dropout(Module):
    """Multiply by 0 or 1/(1−rate), one draw per element; in evaluation this is the identity.

    rate: the probability of 0.
    """

    def __init__(self, rate: float = 0.0, generator: Generator | None = None):
        self.rate: float = check_probability(rate=rate)
        self.generator = as_generator(generator)

    @property
    def drops(self) -> bool:
        """Whether the next draw drops anything."""
        return self.training and self.rate > 0

    def draw(self, shape: tuple[int, ...], dtype: np.dtype) -> Array | None:
        """Return the multiplier for this shape, or None if nothing is dropped."""
        if not self.drops:
            return None
        return dropout_multiplier(self.generator, self.mask_shape(shape), self.rate, dtype)

    def mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the draw for an input of this shape."""
        return shape

    def forward(self, x: Array) -> Array:
        (x,) = floating(x=x)
        self._cache, multiplier = _NOTHING_DROPPED, self.draw(x.shape, x.dtype)
        if multiplier is None:
            return x
        out, self._cache = F.dropout_forward(x, multiplier)
        self._added = False
        return out

    def add(self, residual: Array | None, branch: Callable[..., Array], *inputs: Array | None) -> Array:
        """Return residual + drop(branch(*inputs)), or only the branch if residual is None.

        `backward` then returns dbranch. If nothing is dropped, the branch adds the residual itself, in
        the pass that writes its output.
        """
        if residual is None:
            return self(branch(*inputs))
        if not self.drops:
            self._cache = _NOTHING_DROPPED
            return branch(*inputs, residual=residual)
        out = branch(*inputs)
        out, self._cache = F.residual_forward(residual, out, self.draw(out.shape, out.dtype))
        self._added = True
        return out

    def backward(self, dout: Array) -> Array:
        cache = self.spend()
        if cache is _NOTHING_DROPPED:
            return dout
        if self._added:
            return F.residual_backward(dout, cache).dbranch
        return F.dropout_backward(dout, cache)


class DropPath(Dropout):
    """Stochastic depth (arXiv 1603.09382): one draw per sample drops the whole branch."""

    def mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        if not shape:
            raise ValueError("x has shape (), expected the batch as its first axis")
        return (shape[0],) + (1,) * (len(shape) - 1)
