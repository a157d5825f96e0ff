"""FIRE: functional interpolation for relative positions (arXiv 2310.04418 §3)."""

import math
from typing import Any

import torch
from torch import Tensor

from ..checks import check_bool, check_positive_int
from ..nn import Linear, Parameter, ReLU, Sequential
from ..types import DTypeLike, Generator, Size, SizeLike
from ..wide import call_wide, wide
from ._geometry import axis_offsets, with_prefix
from ._table import TableBias

EPS = 1e-6


class FIRE(TableBias):
    """bias[h, i, j] = MLP(ψ(i − j) / (ψ(max(i, T)) + 1e-6))[h],  ψ(x) = log(1 + |c x|),
    T = |L_multiplier · init_length|.

    MLP: Linear(1, hidden) – ReLU – Linear(hidden, num_heads), named mlp.0 and mlp.2; c and L_multiplier
    are learned scalars (the names of the paper's code). i counts from 0 (and from q_offset).
    Init: c 0.1, L_multiplier 1. The bias depends on i as well as on i − j, so the table has a row for
    each pair. Any sizes and q_offset at call time; prefix tokens and causal as "alibi".
    Used in its authors' language models and for arithmetic (arXiv 2405.17399).
    """

    bias_type = "fire"

    def __init__(
        self,
        num_heads: int,
        window_size: SizeLike,
        init_std: float = 0.02,
        *,
        hidden_features: int = 32,
        init_length: int = 512,
        causal: bool = False,
        num_prefix_tokens: int = 0,
        dtype: DTypeLike | None = None,
        generator: Generator | None = None,
    ):
        hidden_features, init_length = check_positive_int(
            hidden_features=hidden_features, init_length=init_length
        )
        check_bool(causal=causal)
        self.init_length, self.causal = init_length, causal
        super().__init__(num_heads, window_size, init_std, num_prefix_tokens, dtype, generator)
        self.c = Parameter(torch.tensor(0.1, dtype=self.dtype))
        self.L_multiplier = Parameter(torch.tensor(1.0, dtype=self.dtype))
        options: dict[str, Any] = {"dtype": self.dtype, "generator": self.generator}
        self.mlp = Sequential(
            Linear(1, hidden_features, **options),
            ReLU(),
            Linear(hidden_features, num_heads, **options),
        )

    def make_index(self, q_size: Size, k_size: Size, q_offset: int = 0) -> Tensor:
        """A row for each pair, row-major."""
        (q,), (k,) = q_size, k_size
        rows = torch.arange(0, q * k, k)[:, None] + torch.arange(k)
        return with_prefix(rows, self.num_prefix_tokens, *self.prefix_rows(q * k))

    def table(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Tensor:
        q_size, k_size, q_offset = self.sizes(q_size, k_size, q_offset)
        c = wide(self.c)  # once: each conversion back to half precision would round a part of dc
        offsets = axis_offsets(q_size[0], k_size[0], q_offset).to(c)
        positions = torch.arange(q_offset, q_offset + q_size[0]).unsqueeze(1).to(c)  # (Lq, 1)
        threshold = (wide(self.L_multiplier) * self.init_length).abs()
        longest = torch.where(positions < threshold, threshold, positions)  # at a tie: the position
        x = _psi(c, offsets) / (_psi(c, longest) + EPS)
        values = call_wide(self.mlp, x.reshape(-1, 1))
        if self.causal:
            values = values.masked_fill(offsets.reshape(-1, 1) < 0, -math.inf)
        return self.with_prefix_rows(values.to(self.c.dtype))


def _psi(c: Tensor, x: Tensor) -> Tensor:
    """log(1 + |c x|); for a small |c x| the sum with 1 would lose its last digits."""
    return torch.log1p((c * x).abs())
