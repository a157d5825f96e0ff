"""The exponential moving average of the weights."""

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager

from .checks import as_number
from .nn import Parameter
from .types import Array


class ModelEma:
    """Average the weights after each update: average ← average + (1 − decay)(weights − average).

    The first update copies the weights, and there is no warm-up, as in timm's ModelEmaV3 with its
    defaults. Before the first update the average is the weights.

    named_parameters: pairs (name, Parameter).
    decay: in [0, 1).
    """

    def __init__(self, named_parameters: Iterable[tuple[str, Parameter]], decay: float):
        self.decay = decay
        self._parameters = dict(named_parameters)
        self._average: dict[str, Array] = {}

    def update(self) -> None:
        """Take the weights, as an update has left them, into the average."""
        if not self._average:
            self._average = {name: p.data.copy() for name, p in self._parameters.items()}
            return
        for name, average in self._average.items():
            step = self._parameters[name].data - average
            step *= 1 - self.decay
            average += step

    @contextmanager
    def in_place(self) -> Generator[None]:
        """Give the model the averaged weights within the block, without a second copy of them."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def state_dict(self) -> dict[str, Array]:
        """Return {name: array} of the average, copies."""
        weights = {name: p.data for name, p in self._parameters.items()}
        return {name: array.copy() for name, array in (self._average or weights).items()}

    def load_state_dict(self, state: Mapping[str, Array], updates: int) -> None:
        """Continue from a state that fits; updates: how many made it."""
        pairs = self._parameters.items() if updates else ()
        self._average = {name: state[name].astype(p.data.dtype) for name, p in pairs}

    def _swap(self) -> None:
        for name, average in self._average.items():
            weights = self._parameters[name].data
            kept = weights.copy()
            weights[...] = average
            average[...] = kept


def as_ema_decay(decay: float | None) -> float | None:
    """Return a decay in [0, 1), or None; raises TypeError/ValueError."""
    return None if decay is None else as_number("ema_decay", decay, "[0, 1)")
