"""Draws from an explicit generator inside a traced graph: a custom operator for torch.compile.

A graph holds no generator, so it holds the number of one, and the operator looks it up when it runs.
The operator has an effect: a graph neither drops nor merges nor reorders draws.
"""

from collections.abc import Sequence
from itertools import count
from typing import Any
from weakref import WeakValueDictionary

import torch
from torch import Tensor
from torch._library.effects import EffectType

from .random import dropout_multiplier
from .types import Generator

_numbers = count()
_by_number: WeakValueDictionary[int, "Source"] = WeakValueDictionary()
_by_generator: WeakValueDictionary[int, "Source"] = WeakValueDictionary()  # by id, while they live


class Source:
    """A generator with a number; make it with `source_of`.

    A copy, also an unpickled one, is the source of the generator's copy.
    """

    def __init__(self, generator: Generator):
        self.generator, self.number = generator, next(_numbers)

    def __reduce__(self) -> Any:
        return source_of, (self.generator,)


def source_of(generator: Generator) -> Source:
    """Return the one source of this generator."""
    source = _by_generator.get(id(generator))
    if source is None:
        source = Source(generator)
        _by_generator[id(generator)] = _by_number[source.number] = source
    return source


@torch.library.custom_op("torch_impl::dropout_multiplier", mutates_args=())
def draw(
    number: int, shape: Sequence[int], rate: float, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Draw as `random.dropout_multiplier` does, from the generator with this number."""
    return dropout_multiplier(_by_number[number].generator, shape, rate, dtype, device)


@draw.register_fake
def _(
    number: int, shape: Sequence[int], rate: float, dtype: torch.dtype, device: torch.device
) -> Tensor:
    return torch.empty(shape, dtype=dtype, device=device)


draw.register_effect(EffectType.ORDERED)
