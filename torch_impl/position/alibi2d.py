"""ALiBi on a grid: a penalty in proportion to the Euclidean distance (CROMA, arXiv 2311.00566 §3)."""

import torch
from torch import Tensor

from ..types import DTypeLike, Generator, SizeLike
from ._slopes import SlopeBias, alibi_slopes


class ALiBi2D(SlopeBias):
    """Penalise distance on a grid: bias[h, i, j] = −slope_h · √(Δy² + Δx²),  Δ = query − key.

    The slopes are those of "alibi".

    learned_slopes: train the logarithms of the slopes.

    Prefix tokens: no bias. Sizes at call time: any.
    State: none, or log_slopes (H,).
    Source: arXiv 2311.00566 §3. Used by CROMA (X- and 2D-ALiBi).
    """

    bias_type = "alibi2d"
    window_ndim = 2

    def __init__(
        self,
        num_heads: int,
        window_size: SizeLike,
        init_std: float = 0.02,
        *,
        learned_slopes: bool = False,
        num_prefix_tokens: int = 0,
        dtype: DTypeLike | None = None,
        generator: Generator | None = None,
    ):
        super().__init__(num_heads, window_size, init_std, num_prefix_tokens, dtype, generator)
        self.set_slopes(learned_slopes, alibi_slopes(num_heads))

    def distance(self, offsets: Tensor) -> Tensor:
        return torch.linalg.vector_norm(offsets.double(), dim=-1)
