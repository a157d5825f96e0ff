"""Random draws from an explicit generator.

A numpy Generator (the default) gives the numbers that the NumPy twin draws, on any device: equal seeds
mean equal weights and equal dropout. A torch.Generator draws on its own device.
"""

import copy
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .types import Generator


def as_generator(generator: Any) -> Generator:
    """Return the generator, or a freshly seeded numpy one for None.

    Raises TypeError for anything else.
    """
    if generator is None:
        return np.random.default_rng()
    if not isinstance(generator, np.random.Generator | torch.Generator):
        raise TypeError(
            f"generator is a {type(generator).__name__}, expected numpy.random.Generator, "
            "torch.Generator or None"
        )
    return generator


def truncated_normal(
    generator: Generator, shape: Sequence[int], std: float, dtype: torch.dtype
) -> Tensor:
    """Draw from the normal distribution (0, std²); values beyond ±2 std are drawn again.

    The tensor lies on PyTorch's default device; for "meta" nothing is drawn.
    """
    default = torch.get_default_device()
    if default.type == "meta":
        return torch.empty(shape, dtype=dtype, device=default)
    if isinstance(generator, torch.Generator):
        draw = torch.empty(shape, dtype=dtype, device=generator.device)
        torch.nn.init.trunc_normal_(draw, 0, std, -2 * std, 2 * std, generator=generator)
        return draw.to(default)
    values = generator.standard_normal(shape)
    redo = np.abs(values) > 2
    while redo.any():
        values[redo] = generator.standard_normal(int(redo.sum()))
        redo = np.abs(values) > 2
    return torch.from_numpy(values * std).to(default, dtype)


def uniform(generator: Generator, shape: Sequence[int], low: float, high: float) -> Tensor:
    """Draw a CPU tensor from [low, high) with equal density, in float64."""
    if isinstance(generator, torch.Generator):
        draw = torch.rand(shape, generator=generator, device=generator.device, dtype=torch.float64).cpu()
    else:
        draw = torch.from_numpy(generator.random(shape))
    return low + (high - low) * draw


def dropout_multiplier(
    generator: Generator, shape: Sequence[int], rate: float, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Draw 0 with probability `rate`, else 1 / (1 − rate) (inverted dropout, arXiv 1207.0580).

    A torch.Generator draws where the multiplier is needed. Raises ValueError for one of another device.
    """
    if isinstance(generator, torch.Generator):
        if generator.device.type != device.type:
            raise ValueError(
                f"generator is a torch.Generator on {generator.device}, but the input is on {device}: "
                f"make it with torch.Generator({device.type!r}), or use a NumPy generator"
            )
        uniform = torch.rand(shape, generator=generator, device=device)
    else:
        uniform = torch.from_numpy(generator.random(tuple(shape), dtype=np.float32))
    return (uniform >= rate).to(device=device, dtype=dtype) / (1 - rate)


def generator_state(generator: Generator) -> Mapping[str, Any]:
    """Return the state as something that JSON can hold; a numpy one's is as in the NumPy twin."""
    if isinstance(generator, torch.Generator):
        return {"torch": generator.get_state().tolist()}
    return generator.bit_generator.state


def check_generator_state(generator: Generator, state: Any) -> None:
    """Check that `state`, in every field, is one that this kind of generator can have.

    Raises ValueError.
    """
    if isinstance(generator, torch.Generator):
        fits, scratch = isinstance(state, dict) and "torch" in state, torch.Generator(generator.device)
    else:
        name = type(generator.bit_generator).__name__
        fits = isinstance(state, dict) and state.get("bit_generator") == name
        scratch = copy.deepcopy(generator)
    if not fits:
        raise ValueError("generator: the state is of another kind than the generator")
    try:
        set_generator_state(scratch, state)
        fits = _as_json(generator_state(scratch)) == _as_json(state)
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"generator: the state is damaged ({error})") from error
    if not fits:
        raise ValueError("generator: the state is damaged, a generator does not keep it as it is")


def set_generator_state(generator: Generator, state: Mapping[str, Any]) -> None:
    """Put a saved and checked state back."""
    if isinstance(generator, torch.Generator):
        generator.set_state(torch.tensor(state["torch"], dtype=torch.uint8))
    else:
        generator.bit_generator.state = state


def _as_json(state: Any) -> str:
    return json.dumps(state, sort_keys=True, default=lambda array: array.tolist())
