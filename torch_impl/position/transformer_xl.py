"""Transformer-XL's relative positional encoding (arXiv 1901.02860 §3.3)."""

import math
from typing import Any

import torch
from torch import Tensor

from ..gate import floating
from ..nn import Linear, Parameter
from ..ops import QueryLookup
from ..random import truncated_normal
from ..types import DTypeLike, Generator, Size, SizeLike
from ._geometry import all_offsets, offset_rows, with_prefix
from ._query import QueryBias


class TransformerXL(QueryBias):
    """Multiply the query with sinusoids of the offset, and the key with a vector per head:
    bias[b, h, i, j] = (u_h · k[b, h, j] + (q[b, h, i] + v_h) · r_h(i − j)) / √d,
    r = W R(Δ),  R(Δ) = [sin(Δ ω), cos(Δ ω)],  ω_n = 10000^(−2n/D),  D = H · d.

    With q · k / √d this is the paper's (a) + (b) + (c) + (d). The original has the same sign; it obtains
    i − j by its "relative shift".

    head_dim: width d of a head; H · d must be even.

    Gradients: du_h = Σ_{b,i,j} dbias k_j / √d,  dk_j = Σ_i dbias u_h / √d,  dv_h = Σ_{b,i} dq.
    Prefix tokens: no r. Sizes at call time: any, with q_offset; negative offsets too, as in XLNet.
    State: r_w_bias (u) and r_r_bias (v), (H, d) each; r_net.weight (W), (D, D). The names are those of
    the paper's code, where u and v are zero or normal at first (here truncated normal).
    Source: arXiv 1901.02860 §3.3. Used by Transformer-XL, XLNet.
    """

    bias_type = "transformer_xl"

    def __init__(
        self,
        num_heads: int,
        window_size: SizeLike,
        init_std: float = 0.02,
        *,
        head_dim: int,
        num_prefix_tokens: int = 0,
        dtype: DTypeLike | None = None,
        generator: Generator | None = None,
    ):
        super().__init__(num_heads, window_size, init_std, head_dim, num_prefix_tokens, dtype, generator)
        width = self.num_heads * self.head_dim
        if width % 2:
            raise ValueError(f"num_heads · head_dim is {width}, expected an even number")
        self.factor = 1 / math.sqrt(self.head_dim)
        self.r_w_bias, self.r_r_bias = (
            Parameter(truncated_normal(self.generator, (num_heads, head_dim), self.init_std, self.dtype))
            for _ in range(2)
        )
        self.r_net = Linear(width, width, bias=False, dtype=self.dtype, generator=self.generator)

    def make_index(self, q_size: Size, k_size: Size, q_offset: int = 0) -> Tensor:
        rows, num_rows = offset_rows(q_size, k_size, self.index.device)
        return with_prefix(rows, self.num_prefix_tokens, num_rows)

    def embeddings(self, q_size: Size, k_size: Size, q_offset: int) -> list[Tensor]:
        offsets = all_offsets(q_size, k_size, q_offset, self.index.device)
        r = self.r_net(self._sinusoids(offsets))  # (R, H·d)
        return [self.with_zero_row(r.unflatten(-1, (self.num_heads, self.head_dim)).transpose(0, 1))]

    def query_lookup(
        self, q: Tensor, k: Tensor | None, q_size: Size, k_size: Size, q_offset: int
    ) -> QueryLookup:
        self.check_query(q, q_size)
        keys = self.check_keys(k, q.shape[0], k_size)
        floating(q=q, k=keys, r_w_bias=self.r_w_bias)
        content = torch.einsum("hd,bhjd->bhj", self.r_w_bias, keys).unsqueeze(2)  # (B, H, 1, Lk)
        lookup = super().query_lookup(q + self.r_r_bias.unsqueeze(1), keys, q_size, k_size, q_offset)
        return lookup._replace(base=self.factor * content)

    def _sinusoids(self, offsets: Tensor) -> Tensor:
        width = self.num_heads * self.head_dim
        # from 1 down to 10000^(−(D − 2)/D) = 10^(8/D − 4)
        double: dict[str, Any] = {"dtype": torch.float64, "device": offsets.device}
        frequencies = torch.logspace(0, 8 / width - 4, width // 2, **double)
        angles = offsets * frequencies  # (R, D/2)
        return torch.cat([angles.sin(), angles.cos()], dim=-1).to(self.r_net.weight)
