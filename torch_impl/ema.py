"""The exponential moving average of the weights."""

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from .checks import as_array, as_number
from .nn import Parameter
from .sharding import like


class ModelEma:
    """Average the weights after each update: average ← average + (1 − decay)(weights − average).

    The first update copies the weights, and there is no warm-up, as in timm's ModelEmaV3 with its
    defaults. Before the first update the average is the weights.

    named_parameters: pairs (name, parameter), in float32 or float64.
    decay: in [0, 1).
    """

    def __init__(self, named_parameters: Iterable[tuple[str, Parameter]], decay: float):
        self._step = get_ema_multi_avg_fn(decay)
        self._parameters = dict(named_parameters)
        self._average: dict[str, Tensor] = {}

    @torch.no_grad()
    def update(self) -> None:
        """Take the weights, as an update has left them, into the average."""
        if self._average:
            self._step([*self._average.values()], [*self._parameters.values()], 0)
        else:
            self._average = {name: p.detach().clone() for name, p in self._parameters.items()}

    @contextmanager
    def in_place(self) -> Generator[None]:
        """Give the model the averaged weights within the block, without a second copy of them."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return {name: array} of the average, copies."""
        return {name: as_array(a) for name, a in (self._average or self._parameters).items()}

    def load_state_dict(self, state: Mapping[str, np.ndarray], updates: int) -> None:
        """Continue from a state that fits; updates: how many made it."""
        pairs = self._parameters.items() if updates else ()
        self._average = {name: like(torch.tensor(state[name]), p.detach()) for name, p in pairs}

    @torch.no_grad()
    def _swap(self) -> None:
        for name, average in self._average.items():
            weights = self._parameters[name]
            kept = weights.clone()
            weights.copy_(average)
            average.copy_(kept)


def as_ema_decay(decay: Any, dtype: torch.dtype) -> float | None:
    """Return a decay in [0, 1), or None.

    Raises TypeError/ValueError, also for a model in half precision: there the average would stand still,
    since its changes are smaller than its rounding.
    """
    if decay is None:
        return None
    if dtype not in (torch.float32, torch.float64):
        raise ValueError(
            f"ema_decay is {decay!r}, but the model's dtype is {dtype}: it has to be float32"
        )
    return as_number("ema_decay", decay, "[0, 1)")
