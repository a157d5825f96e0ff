"""The slopes of ALiBi, fixed or learned: what its 1-D and 2-D forms share (arXiv 2108.12409)."""

import math

import torch
from torch import Tensor

from ..checks import check_bool
from ..nn import Parameter
from ..wide import wide
from ._offset import OffsetBias


class SlopeBias(OffsetBias):
    """Penalise distance: f_h(Δ) = −slope_h · distance(Δ).

    slope_h = 2^(−8 h / H), h = 1 … H, if H is a power of two; otherwise the slopes of the power of two
    below H, then every second one of twice that power (the paper's code). learned_slopes trains
    `log_slopes` (H,) from there, slope = exp(log_slope), with the gradient
    dlog_slope_h = −slope_h · Σ_r dtable[r, h] · distance_r.
    """

    fixed_slopes: Tensor  # (H,) in float64
    _given: tuple[float, ...] = ()  # their values, where the buffer has none

    def _make_buffers(self) -> None:
        super()._make_buffers()
        slopes = torch.tensor(self._given, dtype=torch.float64, device=self.index.device)
        self._keep("fixed_slopes", slopes)

    def set_slopes(self, learned_slopes: bool, slopes: Tensor) -> None:
        """Keep the slopes, one per head; if learned_slopes, their logarithms as a Parameter."""
        check_bool(learned_slopes=learned_slopes)
        self.log_slopes = None
        if learned_slopes:
            self.log_slopes = Parameter(slopes.log().to(self.dtype))
        self._given = tuple(slopes.tolist())
        self._keep("fixed_slopes", slopes)

    @property
    def slopes(self) -> Tensor:
        """The slopes (H,), positive; fixed ones in float64."""
        return self.fixed_slopes if self.log_slopes is None else wide(self.log_slopes).exp()

    def distance(self, offsets: Tensor) -> Tensor:
        """Return the distance (R,), at least 0.

        offsets: integers (R, axes).
        """
        raise NotImplementedError

    def of_offsets(self, offsets: Tensor) -> Tensor:
        slopes = self.slopes
        return -torch.outer(self.distance(offsets).to(slopes.dtype), slopes)


def alibi_slopes(num_heads: int) -> Tensor:
    """Return the slopes (H,), float64, by the paper's get_slopes."""
    return torch.tensor(_get_slopes(num_heads), dtype=torch.float64)


def _get_slopes(num_heads: int) -> list[float]:
    if math.log2(num_heads).is_integer():
        start = 2 ** (-(2 ** -(math.log2(num_heads) - 3)))
        return [start * start**h for h in range(num_heads)]
    closest = 2 ** math.floor(math.log2(num_heads))
    return _get_slopes(closest) + _get_slopes(2 * closest)[0::2][: num_heads - closest]
