"""ALiBi: attention with linear biases (arXiv 2108.12409)."""

import math

import numpy as np

from ..checks import check_bool
from ._geometry import grid_offsets, with_prefix
from ._sequence import SequenceBias


class ALiBi(SequenceBias):
    """bias[h, i, j] = −slope_h · |i − j|; no parameters.

    slope_h = 2^(−8h/H), h = 1 … H, for H a power of two; otherwise the slopes of the power of two
    below, then every second one of twice that power (the paper's code). causal=True: keys after the
    query get −inf, as the paper's future mask; prefix tokens have no bias and, when causal, do not
    see the sequence, so nothing leaks through them. Any q_size and k_size at call time.
    """

    bias_type = "alibi"

    def __init__(
        self,
        num_heads,
        window_size,
        init_std=0.02,
        *,
        causal=False,
        num_prefix_tokens=0,
        dtype=None,
        generator=None,
    ):
        check_bool(causal=causal)
        self.causal = causal
        super().__init__(num_heads, window_size, init_std, num_prefix_tokens, dtype, generator)

    def make_index(self, q_size, k_size):
        """Row |i − j|; then one row of −inf when causal, then one of zeros with prefix tokens."""
        offset = grid_offsets(q_size, k_size)[..., 0]
        future = max(*q_size, *k_size)
        zero = future + self.causal
        rows = np.where(offset < 0, future, offset) if self.causal else np.abs(offset)
        prefix_to_patch = future if self.causal else zero
        return with_prefix(rows, self.num_prefix_tokens, prefix_to_patch, zero, zero)

    def table(self, q_size=None, k_size=None):
        """(max(Lq, Lk) [+ 1 if causal] [+ 1 with prefix tokens], num_heads)."""
        length = max(*(q_size or self.window_size), *(k_size or self.window_size))
        table = -np.arange(length)[:, None] * alibi_slopes(self.num_heads)
        if self.causal:
            table = np.concatenate([table, np.full((1, self.num_heads), -np.inf)])
        return self.with_zero_row(table.astype(self.dtype))

    def table_backward(self, dtable):
        """Nothing to train."""


def alibi_slopes(num_heads):
    """(num_heads,) float64, positive and decreasing within each of the two groups."""
    power = 2 ** int(math.log2(num_heads))
    slopes = 2.0 ** (-8 * np.arange(1, power + 1) / power)
    finer = 2.0 ** (-8 * np.arange(1, 2 * power + 1) / (2 * power))
    return np.concatenate([slopes, finer[::2]])[:num_heads]
