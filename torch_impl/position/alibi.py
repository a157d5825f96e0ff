"""ALiBi: attention with linear biases (arXiv 2108.12409)."""

import torch
from torch import Tensor

from ..checks import MOST_HEADS, check_bool, check_positive_int
from ..types import DTypeLike, Generator, SizeLike
from ._slopes import SlopeBias, alibi_slopes


class ALiBi(SlopeBias):
    """Penalise distance in a sequence: bias[h, i, j] = −slope_h · |i − j|.

    slope_h = 2^(−8 h / H), h = 1 … H, if H is a power of two; otherwise the slopes of the power of two
    below H, then every second one of twice that power (the paper's code).

    causal: keys after the query get −inf, as the paper's future mask.
    asymmetric: the first half of the heads sees keys up to the query, the second half keys from the
        query on, each with the slopes of H/2 heads (the authors' proposal for encoders, issue 5 of their
        repository).
    learned_slopes: train the logarithms of the slopes.

    Prefix tokens: no bias; if causal, they do not see the other tokens. Sizes at call time: any, with
    q_offset.
    State: none, or log_slopes (H,).
    Source: arXiv 2108.12409. Used by BLOOM and MPT, which add slope · j instead: that differs by a
    constant in each row, which softmax cancels.
    """

    bias_type = "alibi"

    def __init__(
        self,
        num_heads: int,
        window_size: SizeLike,
        init_std: float = 0.02,
        *,
        causal: bool = False,
        asymmetric: bool = False,
        learned_slopes: bool = False,
        num_prefix_tokens: int = 0,
        dtype: DTypeLike | None = None,
        generator: Generator | None = None,
    ):
        num_heads = check_positive_int(MOST_HEADS, num_heads=num_heads)
        check_bool(causal=causal, asymmetric=asymmetric)
        if asymmetric and (causal or num_heads % 2):
            raise ValueError(
                f"asymmetric is True, expected an even number of heads and no causal, "
                f"got num_heads {num_heads} and causal {causal}"
            )
        self.causal, self.asymmetric = causal, asymmetric
        super().__init__(num_heads, window_size, init_std, num_prefix_tokens, dtype, generator)
        slopes = alibi_slopes(num_heads)
        self.set_slopes(learned_slopes, alibi_slopes(num_heads // 2).repeat(2) if asymmetric else slopes)

    def distance(self, offsets: Tensor) -> Tensor:
        return offsets[:, 0].abs()

    def hidden(self, offsets: Tensor) -> Tensor:
        if not self.asymmetric:
            return super().hidden(offsets)
        heads = torch.arange(self.num_heads, device=offsets.device)
        return torch.where(heads < self.num_heads // 2, offsets < 0, offsets > 0)
