"""Sandwich: the inner product of sinusoidal embeddings as a bias (arXiv 2212.10356 §5)."""

import numpy as np

from ..checks import check_bool, check_positive_int
from ..types import Array, DTypeLike, Generator, SizeLike
from ._offset import OffsetBias


class Sandwich(OffsetBias):
    """Add the inner product of two sinusoidal embeddings, weaker with each head:
    bias[h, i, j] = H / (8 h) · Σ_n cos((i − j) / 10000^(2n/D)),  n = 0 … D/2 − 1,  h = 1 … H.

    sinusoid_dim: D, even (the paper's d̄, 128).
    causal: keys after the query get −inf.

    Prefix tokens: no bias; if causal, they do not see the other tokens. Sizes at call time: any, with
    q_offset.
    State: none.
    Source: arXiv 2212.10356 §5. Used in its authors' GPT-NeoX models.
    """

    bias_type = "sandwich"

    def __init__(
        self,
        num_heads: int,
        window_size: SizeLike,
        init_std: float = 0.02,
        *,
        sinusoid_dim: int = 128,
        causal: bool = False,
        num_prefix_tokens: int = 0,
        dtype: DTypeLike | None = None,
        generator: Generator | None = None,
    ):
        sinusoid_dim = check_positive_int(sinusoid_dim=sinusoid_dim)
        check_bool(causal=causal)
        if sinusoid_dim % 2:
            raise ValueError(f"sinusoid_dim is {sinusoid_dim}, expected an even number")
        self.sinusoid_dim, self.causal = sinusoid_dim, causal
        super().__init__(num_heads, window_size, init_std, num_prefix_tokens, dtype, generator)

    def of_offsets(self, offsets: Array) -> Array:
        frequencies = 10000.0 ** -(np.arange(0, self.sinusoid_dim, 2) / self.sinusoid_dim)
        similarity = np.cos(offsets * frequencies).sum(-1, keepdims=True)  # (R, 1)
        return similarity * self.num_heads / (8 * np.arange(1, self.num_heads + 1))
