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
    """Interpolate with an MLP: bias[h, i, j] = MLP(ψ(i − j) / N_i)[h],  N_i = ψ(max(i, T)) + 1e-6,
    ψ(x) = log(1 + |c x|),  T = |L_multiplier · init_length|.

    MLP: Linear(1, hidden) – ReLU – Linear(hidden, H). i counts from 0 (or q_offset). The bias depends
    on i as well as on i − j, so the table has a row for each pair.

    hidden_features: width of the MLP.
    init_length: threshold T at first; c and L_multiplier are learned scalars.
    causal: keys after the query get −inf.

    Gradients, with x = ψ(Δ)/N, m = max(i, T) and g = dx:
    dψ = g/N,  dN = −g x/N,  dc = Σ dψ |Δ| sign(c) / (1 + |c Δ|) + Σ dN m sign(c) / (1 + |c| m),
    dL_multiplier = sign(L_multiplier) · init_length · Σ_{i < T} dN |c| / (1 + |c| m)
    Prefix tokens: no bias; if causal, they do not see the other tokens. Sizes at call time: any, with
    q_offset.
    State: mlp.0, mlp.2, c (0.1 at first), L_multiplier (1 at first), the names of the paper's code.
    Source: arXiv 2310.04418 §3. Used in its authors' language models and for
    arithmetic (arXiv 2405.17399).
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
        """Return a row for each pair, row-major: (P + Lq, P + Lk)."""
        (q,), (k,) = q_size, k_size
        device = self.index.device
        rows = k * torch.arange(q, device=device)[:, None] + torch.arange(k, device=device)
        return with_prefix(rows, self.num_prefix_tokens, *self.prefix_rows(q * k))

    def table(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Tensor:
        q_size, k_size, q_offset = self.sizes(q_size, k_size, q_offset)
        c = wide(self.c)  # once: each conversion back to half precision would round a part of dc
        device = self.index.device
        offsets = axis_offsets(q_size[0], k_size[0], q_offset, device=device).to(c)
        positions = torch.arange(q_size[0], device=device).unsqueeze(1).add(q_offset).to(c)  # (Lq, 1)
        # PyTorch 2.11 cannot write the product with an integer to ONNX if the length is open
        threshold = (wide(self.L_multiplier) * float(self.init_length)).abs()
        longest = torch.where(positions < threshold, threshold, positions)  # at a tie: the position
        x = _psi(c, offsets) / (_psi(c, longest) + EPS)
        values = call_wide(self.mlp, x.reshape(-1, 1))
        if self.causal:
            values = values.masked_fill(offsets.reshape(-1, 1) < 0, -math.inf)
        return self.with_prefix_rows(values.to(self.c.dtype))


def _psi(c: Tensor, x: Tensor) -> Tensor:
    """Return log(1 + |c x|); adding 1 first would lose the last digits of a small |c x|."""
    return torch.log1p((c * x).abs())
