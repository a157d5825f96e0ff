"""iRPE in contextual mode (arXiv 2107.14222): image relative position encoding on q, k and v."""

import math

from torch import Tensor

from .. import ops
from ..checks import check_bool, check_subset
from ..gate import floating
from ..nn import Parameter
from ..ops import QueryLookup
from ..random import truncated_normal
from ..types import DTypeLike, Generator, Size, SizeLike
from ..wide import wide
from ._irpe_buckets import Method
from ._irpe_rows import IRPERows
from ._query import QueryBias


class IRPE(QueryBias):
    """Multiply queries, keys and probabilities with vectors for buckets of offsets:
    bias[b, h, i, j] = q[b, h, i] · W_k[r(Δ)] / √d + k[b, h, j] · W_q[r(−Δ)] / √d,
    out[b, h, i] += Σ_j P[b, h, i, j] W_v[r(Δ)],  Δ = query − key.

    A bucket is g(x) = round(x) if |x| ≤ α, otherwise
    sign(x) · min(round(α + ln(|x|/α) / ln(γ/α) · (β − α)), ⌊β⌋), with (α, β, γ) = ratio · (1, 2, 8).

    head_dim: width d of a head.
    method: what r(Δ) is. "euclidean": g(round √(Δy² + Δx²)); "quant": g(Δy² + Δx²); "product": the row
        of the pair (g(Δy), g(Δx)); "cross": the sum of the rows of g(Δy) and of g(Δx).
    rpe_on: which tables there are: "k" (W_k, times q), "q" (W_q, times k), "v" (W_v); the paper: "k".
    shared_head: one table for all heads.
    ratio: α.

    Prefix tokens: one row more ("cross": one per half), for all their pairs. Sizes at call time: any.
    State: lookup_table_q, _k, _v (1 or H, R, d), truncated normal. R = 2 · int(β) + 1, squared for
    "product", twice (rows, then columns) for "cross". The original has the same sign, keeps W_q and W_k
    transposed and "cross" as two modules, and starts at zero. Its mode "bias" is "irpe_bias".
    Source: arXiv 2107.14222. Used by DeiT and DETR with iRPE, MiniViT.
    """

    bias_type = "irpe"
    window_ndim = 2
    table_names = ("lookup_table_q", "lookup_table_k", "lookup_table_v")

    joint_rows: Tensor  # as `IRPERows.joint`, of the window

    def __init__(
        self,
        num_heads: int,
        window_size: SizeLike,
        init_std: float = 0.02,
        *,
        head_dim: int,
        method: Method = "product",
        rpe_on: str = "k",
        shared_head: bool = True,
        ratio: float = 1.9,
        num_prefix_tokens: int = 0,
        dtype: DTypeLike | None = None,
        generator: Generator | None = None,
    ):
        check_subset("rpe_on", rpe_on, "qkv")
        check_bool(shared_head=shared_head)
        self.rpe_on = rpe_on
        self._bucket_rows = IRPERows(method, ratio, num_prefix_tokens)
        super().__init__(num_heads, window_size, init_std, head_dim, num_prefix_tokens, dtype, generator)
        self.factor = 1 / math.sqrt(self.head_dim)
        shape = (1 if shared_head else self.num_heads, self._bucket_rows.num_rows, self.head_dim)
        for name in sorted(rpe_on):
            table = Parameter(truncated_normal(self.generator, shape, self.init_std, self.dtype))
            setattr(self, f"lookup_table_{name}", table)

    def _make_buffers(self) -> None:
        super()._make_buffers()
        window = self.window_size, self.window_size, self.index.device
        self._keep("joint_rows", self._bucket_rows.joint(*window)[0])

    def make_index(self, q_size: Size, k_size: Size, q_offset: int = 0) -> Tensor:
        return self._bucket_rows.joint(q_size, k_size, self.index.device)[1]

    def query_lookup(
        self, q: Tensor, k: Tensor | None, q_size: Size, k_size: Size, q_offset: int
    ) -> QueryLookup:
        lookup, base = super().query_lookup(q, k, q_size, k_size, q_offset), None
        if "k" not in self.rpe_on:
            base = q.new_zeros(*q.shape[:3], lookup.indices[0].shape[1])
            lookup = lookup._replace(embeddings=(), indices=())
        if "q" in self.rpe_on:
            keys = self.check_keys(k, q.shape[0], k_size)
            floating(q=q, k=keys)
            index = self.indices(k_size, q_size, 0)[0]  # r(−Δ), a row per key
            term = ops.score_lookup(keys, self._embedding("q", k_size, q_size), index)
            base = self.factor * term.transpose(-1, -2)
        return lookup._replace(base=base)

    def embeddings(self, q_size: Size, k_size: Size, q_offset: int) -> list[Tensor]:
        """Return the embedding of the term that looks at the query; the other has its own index."""
        return [self._embedding("k", q_size, k_size)] if "k" in self.rpe_on else []

    def value_embedding(self, q_size: Size, k_size: Size, q_offset: int) -> Tensor | None:
        return self._embedding("v", q_size, k_size) if "v" in self.rpe_on else None

    def _embedding(self, name: str, q_size: Size, k_size: Size) -> Tensor:
        """Return (1 or H, R', d) under the joint index."""
        learned = getattr(self, f"lookup_table_{name}")
        rows = self.joint_rows
        if not self._is_window(q_size, k_size, 0):
            rows = self._bucket_rows.joint(q_size, k_size, self.index.device)[0]
        return wide(learned)[:, rows].sum(1).to(learned.dtype)
