"""Transformer-XL's relative positional encoding (arXiv 1901.02860 §3.3)."""

import math

import torch
from torch import Tensor

from ..gate import floating
from ..nn import Linear, Parameter
from ..random import truncated_normal
from ..types import DTypeLike, Generator, Size, SizeLike
from ._geometry import all_offsets, offset_rows, with_prefix
from ._query import QueryBias


class TransformerXL(QueryBias):
    """bias[b, h, i, j] = (u_h · k[b, h, j] + (q[b, h, i] + v_h) · r_h(i − j)) / √d,  r = W R(Δ).

    R(Δ) = [sin(Δ ω), cos(Δ ω)], ω_n = 10000^(−2n/D), D = num_heads · d; W is r_net (D → D, no bias),
    u and v are r_w_bias and r_r_bias (num_heads, d): the names of the paper's code, where they are
    zero or normal at first (here truncated normal). With q·k/√d this is the paper's (a) + (b) + (c) +
    (d). Same sign as the original, which obtains i − j by its "relative shift".
    Prefix tokens: no r. Any sizes and q_offset at call time; negative offsets too, as in XLNet.
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
        rows, num_rows = offset_rows(q_size, k_size)
        return with_prefix(rows, self.num_prefix_tokens, num_rows)

    def embeddings(self, q_size: Size, k_size: Size, q_offset: int) -> list[Tensor]:
        r = self.r_net(self._sinusoids(all_offsets(q_size, k_size, q_offset)))  # (R, H·d)
        return [self.with_zero_row(r.unflatten(-1, (self.num_heads, self.head_dim)).transpose(0, 1))]

    def forward(
        self,
        q: Tensor,
        k: Tensor | None = None,
        q_size: SizeLike | None = None,
        k_size: SizeLike | None = None,
        q_offset: int = 0,
    ) -> Tensor:
        """q (B, H, P + Lq, d), k (B, H, P + Lk, d) -> bias (B, H, P + Lq, P + Lk)."""
        sizes = self.sizes(q_size, k_size, q_offset)
        self.check_query(q, sizes[0])
        keys = self.check_keys(k, len(q), sizes[1])
        floating(q=q, k=keys, r_w_bias=self.r_w_bias)
        content = torch.einsum("hd,bhjd->bhj", self.r_w_bias, keys).unsqueeze(2)  # (B, H, 1, Lk)
        return self.factor * content + super().forward(q + self.r_r_bias.unsqueeze(1), keys, *sizes)

    def _sinusoids(self, offsets: Tensor) -> Tensor:
        width = self.num_heads * self.head_dim
        frequencies = torch.logspace(
            0, 8 / width - 4, width // 2, dtype=torch.float64
        )  # 10^−4 = 1/10000
        angles = offsets * frequencies  # (R, D/2)
        return torch.cat([angles.sin(), angles.cos()], dim=-1).to(self.r_net.weight)
