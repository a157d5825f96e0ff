"""FIRE: functional interpolation for relative positions (arXiv 2310.04418 §3)."""

import math
from typing import Any

import numpy as np

from ..checks import check_bool, check_positive_int
from ..nn import Linear, Parameter, ReLU, Sequential
from ..types import Array, DTypeLike, Generator, Size, SizeLike
from ._geometry import grid_offsets, grid_positions, with_prefix
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
        self.c = Parameter(np.array(0.1, self.dtype))
        self.L_multiplier = Parameter(np.array(1.0, self.dtype))
        options: dict[str, Any] = {"dtype": self.dtype, "generator": self.generator}
        self.mlp = Sequential(
            [
                Linear(1, hidden_features, **options),
                ReLU(),
                Linear(hidden_features, num_heads, **options),
            ]
        )

    def make_index(self, q_size: Size, k_size: Size, q_offset: int = 0) -> Array:
        """Return a row for each pair, row-major: (P + Lq, P + Lk)."""
        pairs = math.prod(q_size) * math.prod(k_size)
        rows = np.arange(pairs).reshape(math.prod(q_size), -1)
        return with_prefix(rows, self.num_prefix_tokens, *self.prefix_rows(pairs))

    def table(
        self, q_size: SizeLike | None = None, k_size: SizeLike | None = None, q_offset: int = 0
    ) -> Array:
        q_size, k_size, q_offset = self.sizes(q_size, k_size, q_offset)
        offsets = grid_offsets(q_size, k_size, q_offset)[..., 0].astype(self.dtype)
        positions = (grid_positions(q_size) + q_offset).astype(self.dtype)  # (Lq, 1)
        c, threshold = self.c.data, np.abs(self.L_multiplier.data * self.init_length)
        longest = np.maximum(positions, threshold)  # at a tie the gradient is the position's: none
        normalizer = np.log1p(np.abs(c * longest)) + self.dtype.type(EPS)
        x = np.log1p(np.abs(c * offsets)) / normalizer
        self._cached = offsets, positions < threshold, longest, normalizer, x
        values = self.mlp(x.reshape(-1, 1))
        if self.causal:
            values = np.where(offsets.reshape(-1, 1) < 0, self.dtype.type(-np.inf), values)
        return self.with_prefix_rows(values)

    def table_backward(self, dtable: Array) -> None:
        offsets, below, longest, normalizer, x = self._cached
        dvalues = dtable[: offsets.size]
        if self.causal:
            dvalues = np.where(offsets.reshape(-1, 1) < 0, self.dtype.type(0), dvalues)
        dx = self.mlp.backward(dvalues).reshape(x.shape)
        dnormalizer = -(dx * x).sum(1, keepdims=True) / normalizer  # (Lq, 1)
        c, sign = np.abs(self.c.data), np.sign(self.c.data)
        far = np.abs(offsets)
        dc = (dx / normalizer * far / (1 + c * far)).sum()
        dc += (dnormalizer * longest / (1 + c * longest)).sum()
        self.c.accumulate(sign * dc)
        dlongest = dnormalizer * c / (1 + c * longest)
        dthreshold = dlongest[below].sum()
        self.L_multiplier.accumulate(np.sign(self.L_multiplier.data) * self.init_length * dthreshold)
