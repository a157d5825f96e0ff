"""Random draws from an explicit numpy Generator, so that both twins see the same numbers."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from .types import Array, Generator


def as_generator(generator: Any) -> Generator:
    """Return the generator, or a freshly seeded one for None; raises TypeError for anything else."""
    if generator is None:
        return np.random.default_rng()
    if not isinstance(generator, np.random.Generator):
        raise TypeError(
            f"generator is a {type(generator).__name__}, expected numpy.random.Generator or None"
        )
    return generator


def truncated_normal(generator: Generator, shape: tuple[int, ...], std: float, dtype: np.dtype) -> Array:
    """Draw from the normal distribution (0, std²); values beyond ±2 std are drawn again."""
    draw = generator.standard_normal(shape)
    while (outside := np.abs(draw) > 2).any():
        draw[outside] = generator.standard_normal(np.count_nonzero(outside))
    return (std * draw).astype(dtype)


def uniform(generator: Generator, shape: tuple[int, ...], low: float, high: float) -> Array:
    """Draw from [low, high) with equal density, in float64."""
    return low + (high - low) * generator.random(shape)


def dropout_multiplier(
    generator: Generator, shape: tuple[int, ...], rate: float, dtype: np.dtype
) -> Array:
    """Draw 0 with probability `rate`, else 1 / (1 − rate) (inverted dropout, arXiv 1207.0580)."""
    keep = generator.random(shape, dtype=np.float32) >= rate
    return keep.astype(dtype) / dtype.type(1 - rate)


def check_generator_state(generator: Generator, state: Any) -> None:
    """Check that `state`, in every field, is one that this kind of generator can have.

    Raises ValueError.
    """
    kind = type(generator.bit_generator)
    if not isinstance(state, dict) or state.get("bit_generator") != kind.__name__:
        raise ValueError("generator: the state is of another kind than the generator")
    scratch = kind(0)
    try:
        scratch.state = state
        kept = _as_text(scratch.state) == _as_text(state)
    except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
        raise ValueError(f"generator: the state is damaged ({error})") from error
    if not kept:
        raise ValueError("generator: the state is damaged, a generator does not keep it as it is")


def set_generator_state(generator: Generator, state: Mapping[str, Any]) -> None:
    """Put a saved and checked state back."""
    generator.bit_generator.state = state


def _as_text(state: Any) -> str:
    return json.dumps(state, sort_keys=True, default=np.ndarray.tolist)
