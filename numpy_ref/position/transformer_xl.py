"""Transformer-XL's relative positional encoding (arXiv 1901.02860 §3.3)."""

import math

import numpy as np

from ..gate import floating
from ..nn import Linear, Parameter
from ..random import truncated_normal
from ..types import Array, DTypeLike, Generator, Size, SizeLike
from ._geometry import all_offsets, grid_offsets, offset_rows, with_prefix
from ._query import QueryBias, QueryGrads


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

    def make_index(self, q_size: Size, k_size: Size, q_offset: int = 0) -> Array:
        rows = offset_rows(grid_offsets(q_size, k_size, q_offset), q_size, k_size, q_offset)
        return with_prefix(rows, self.num_prefix_tokens, len(all_offsets(q_size, k_size)))

    def embeddings(self, q_size: Size, k_size: Size, q_offset: int) -> list[Array]:
        r = self.r_net(self._sinusoids(all_offsets(q_size, k_size, q_offset)))  # (R, H·d)
        by_head = r.reshape(-1, self.num_heads, self.head_dim).swapaxes(0, 1)
        return [self.with_zero_row(np.ascontiguousarray(by_head))]

    def embeddings_backward(self, dembeddings: list[Array]) -> None:
        dr = dembeddings[0]
        if self.num_prefix_tokens:
            dr = dr[:, :-1]
        self.r_net.backward(np.ascontiguousarray(dr.swapaxes(0, 1)).reshape(dr.shape[1], -1))

    def forward(
        self,
        q: Array,
        k: Array | None = None,
        q_size: SizeLike | None = None,
        k_size: SizeLike | None = None,
        q_offset: int = 0,
    ) -> Array:
        """Return the bias (B, H, P + Lq, P + Lk).

        q: (B, H, P + Lq, d); k: (B, H, P + Lk, d); q_size, k_size, q_offset: as `sizes`.
        """
        sizes = self.sizes(q_size, k_size, q_offset)
        q = self.check_query(q, sizes[0])
        q, self._k = floating(q=q, k=self.check_keys(k, len(q), sizes[1]))
        u, v = self.r_w_bias.data, self.r_r_bias.data
        content = np.einsum("hd,bhjd->bhj", u, self._k)[:, :, None]  # (B, H, 1, Lk)
        return self.factor * content + super().forward(q + v[:, None], self._k, *sizes)

    def backward(self, dbias: Array) -> QueryGrads:
        """Add the parameters' gradients up; return QueryGrads(dq, dk).

        dbias: (B, H, P + Lq, P + Lk).
        """
        dq, _ = super().backward(dbias)
        assert dq is not None  # every term looks at the query
        self.r_r_bias.accumulate(dq.sum((0, 2)))
        dcontent = self.factor * dbias.sum(2)  # (B, H, Lk)
        self.r_w_bias.accumulate(np.einsum("bhj,bhjd->hd", dcontent, self._k))
        return QueryGrads(dq, dcontent[..., None] * self.r_w_bias.data[:, None])

    def _sinusoids(self, offsets: Array) -> Array:
        width = self.num_heads * self.head_dim
        angles = offsets * 10000.0 ** -(np.arange(0, width, 2) / width)  # (R, D/2)
        return np.concatenate([np.sin(angles), np.cos(angles)], axis=-1).astype(self.dtype)
