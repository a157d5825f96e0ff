"""The same dropout in a forward pass and in its recomputation by activation checkpointing."""

from collections.abc import Generator as Iterator
from collections.abc import Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from .random import generator_state, set_generator_state
from .types import Generator


def same_draws(
    generator: Generator,
) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Return contexts for a forward pass and for its recomputation, which draws the same numbers again.

    For `torch.utils.checkpoint.checkpoint(…, context_fn=partial(same_draws, model.generator))`. PyTorch
    itself restores only its global generators: without this the recomputation would draw new numbers,
    and the gradients would be wrong. The generator goes on as if nothing were computed twice.
    """
    return nullcontext(), _again(generator, generator_state(generator))


@contextmanager
def _again(generator: Generator, begun: Mapping[str, Any]) -> Iterator[None]:
    now = generator_state(generator)
    set_generator_state(generator, begun)
    try:
        yield
    finally:
        set_generator_state(generator, now)
