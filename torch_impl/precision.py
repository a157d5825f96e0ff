"""Mixed precision (arXiv 1710.03740): autocast to bf16 or fp16, and the scaled loss of fp16."""

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .checks import as_int, as_number, check_choice, check_state

PRECISIONS = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


def check_precision(precision: Any, dtype: torch.dtype) -> None:
    """Check the name, and for bf16 and fp16 that the model's dtype is float32.

    Raises TypeError/ValueError.
    """
    if not isinstance(precision, str):
        raise TypeError(f"precision is {precision!r}, expected one of {', '.join(PRECISIONS)}")
    check_choice("precision", precision, tuple(PRECISIONS))
    if PRECISIONS[precision] and dtype != torch.float32:
        raise ValueError(
            f"precision is {precision!r}, but the model's dtype is {dtype}: only float32 fits"
        )


def autocast(precision: str, device: str) -> AbstractContextManager[Any]:
    """Return the context in which the forward pass runs; for fp32 it changes nothing."""
    dtype = PRECISIONS[precision]
    return nullcontext() if dtype is None else torch.autocast(device, dtype)


class LossScaler:
    """Scale the loss of an fp16 step, so that small gradients are not rounded to zero.

    This is torch.amp.GradScaler: the scale is halved where a gradient overflows, and doubled after 2000
    steps where none did. A step that overflows is skipped and counted. In another precision nothing is
    scaled or skipped.

    precision: "fp32", "bf16" or "fp16".
    device: "cpu" or "cuda".
    """

    def __init__(self, precision: str, device: str):
        self.enabled = precision == "fp16"
        self.skipped = 0
        self._scaler = torch.amp.GradScaler(device, enabled=self.enabled)

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of the scaled loss."""
        self._scaler.scale(loss).backward()

    def unscale(self, optimizer: torch.optim.Optimizer) -> None:
        """Divide the gradients of the optimizer's parameters by the scale."""
        self._scaler.unscale_(optimizer)

    def update(self, norm: float, step: int) -> bool:
        """Adapt the scale; return whether to take the step, or skip it because a gradient overflowed.

        norm: of the unscaled gradient; step: for the message.
        Raises FloatingPointError for a norm that is not finite, where no smaller scale would help.
        """
        finite = math.isfinite(norm)
        if not finite and (not self.enabled or self._scaler.get_scale() <= 1):
            raise FloatingPointError(f"the gradient's norm is {norm} at step {step}")
        self.skipped += not finite
        self._scaler.update()
        return finite

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return {"scale", "growth_tracker", "skipped": array of one number}; {} unless in fp16."""
        if not self.enabled:
            return {}
        state = self._scaler.state_dict()
        return {
            "scale": np.array(state["scale"], np.float32),
            "growth_tracker": np.array(state["_growth_tracker"]),
            "skipped": np.array(self.skipped),
        }

    def checked(self, state: Mapping[str, np.ndarray], step: int) -> dict[str, Any]:
        """Return a saved state as Python's numbers; step: the steps so far, skipped ones included.

        Raises TypeError/ValueError.
        """
        check_state(dict.fromkeys(self.state_dict(), ()), state, "scaler.")
        if not self.enabled:
            return {}
        skipped = as_int("scaler.skipped", state["skipped"].item(), 0)
        if skipped > step:
            raise ValueError(f"scaler.skipped is {skipped}, expected at most the {step} steps so far")
        return {
            "scale": as_number("scaler.scale", state["scale"].item(), "(0, inf)"),
            "growth_tracker": as_int("scaler.growth_tracker", state["growth_tracker"].item(), 0),
            "skipped": skipped,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Continue from what `checked` returned."""
        if self.enabled:
            kept = {"scale": state["scale"], "_growth_tracker": state["growth_tracker"]}
            self._scaler.load_state_dict(self._scaler.state_dict() | kept)
            self.skipped = state["skipped"]
