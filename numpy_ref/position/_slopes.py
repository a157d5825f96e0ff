"""The slopes of ALiBi, fixed or learned: what its 1-D and 2-D forms share (arXiv 2108.12409)."""

import math

import numpy as np

from ..checks import check_bool
from ..nn import Parameter
from ..types import Array
from ._offset import OffsetBias


class SlopeBias(OffsetBias):
    """Penalise distance: f_h(Δ) = −slope_h · distance(Δ).

    slope_h = 2^(−8 h / H), h = 1 … H, if H is a power of two; otherwise the slopes of the power of two
    below H, then every second one of twice that power (the paper's code). learned_slopes trains
    `log_slopes` (H,) from there, slope = exp(log_slope), with the gradient
    dlog_slope_h = −slope_h · Σ_r dtable[r, h] · distance_r.
    """

    def set_slopes(self, learned_slopes: bool, slopes: Array) -> None:
        """Keep the slopes, one per head; if learned_slopes, their logarithms as a Parameter."""
        check_bool(learned_slopes=learned_slopes)
        self.log_slopes = None
        if learned_slopes:
            self.log_slopes = Parameter(np.log(slopes).astype(self.dtype))
        self._fixed_slopes = slopes

    @property
    def slopes(self) -> Array:
        """The slopes (H,), positive; fixed ones in float64."""
        return self._fixed_slopes if self.log_slopes is None else np.exp(self.log_slopes.data)

    def distance(self, offsets: Array) -> Array:
        """Return the distance (R,), at least 0.

        offsets: integers (R, axes).
        """
        raise NotImplementedError

    def of_offsets(self, offsets: Array) -> Array:
        self._distance = self.distance(offsets).astype(self.slopes.dtype)
        return -self._distance[:, None] * self.slopes

    def of_offsets_backward(self, dvalues: Array) -> None:
        if self.log_slopes is not None:
            self.log_slopes.accumulate(-self.slopes * (self._distance @ dvalues))


def alibi_slopes(num_heads: int) -> Array:
    """Return the slopes (H,) in float64, positive and falling within each of the two groups."""
    power = 2 ** int(math.log2(num_heads))
    slopes = 2.0 ** (-8 * np.arange(1, power + 1) / power)
    finer = 2.0 ** (-8 * np.arange(1, 2 * power + 1) / (2 * power))
    return np.concatenate([slopes, finer[::2]])[:num_heads]
