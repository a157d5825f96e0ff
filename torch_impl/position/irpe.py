"""iRPE: image relative position encoding (arXiv 2107.14222): four ways to count, two ways to use it."""

import math

import torch

from .. import ops
from ..checks import as_number, check_bool, check_choice, check_natural, check_subset
from ..gate import floating
from ..nn import Parameter
from ..random import truncated_normal
from ..wide import wide
from ._geometry import grid_offsets, joint_rows, kept, with_prefix
from ._irpe_buckets import METHODS, buckets, num_buckets
from ._query import QueryBias
from ._table import TableBias


class IRPE(QueryBias, TableBias):
    """mode "contextual", on k, q and v:  bias[b, h, i, j] = q[b, h, i] · W_k[r(Δ)] / √d  +
    k[b, h, j] · W_q[r(−Δ)] / √d,  out[b, h, i] += Σ_j P[b, h, i, j] W_v[r(Δ)];
    mode "bias":  bias[h, i, j] = table[r(Δ), h];  Δ = query − key.

    g(x) = round(x) for |x| ≤ α, else sign(x) · min(round(α + ln(|x|/α) / ln(γ/α) · (β − α)), β), with
    (α, β, γ) = ratio · (1, 2, 8). method: "euclidean" g(round √(Δy² + Δx²)); "quant" g(Δy² + Δx²);
    "product" the row of the pair (g(Δy), g(Δx)); "cross" the sum of the rows of g(Δy) and of g(Δx).
    rpe_on: which of "q", "k", "v" the contextual mode attaches to (the paper's default is "k").
    State: lookup_table_q, _k, _v (1 or num_heads, R, d), or relative_position_bias_table (R, 1 or
    num_heads); one for all heads with shared_head. R = 2·int(β) + 1, squared for product, twice (rows,
    then columns) for cross; with prefix tokens each has one row more, which all their pairs read.
    The original has the same sign, keeps W_q and W_k transposed, cross as two modules, and starts at
    zero (here: truncated normal). Any sizes at call time. Used by DeiT and DETR with iRPE, MiniViT.
    """

    bias_type = "irpe"
    window_ndim = 2
    table_names = ("relative_position_bias_table", "lookup_table_q", "lookup_table_k", "lookup_table_v")

    def __init__(
        self,
        num_heads,
        window_size,
        init_std=0.02,
        *,
        head_dim,
        method="product",
        mode="contextual",
        rpe_on="k",
        shared_head=True,
        ratio=1.9,
        num_prefix_tokens=0,
        dtype=None,
        generator=None,
    ):
        check_choice("method", method, METHODS)
        check_choice("mode", mode, ("contextual", "bias"))
        check_subset("rpe_on", rpe_on, "qkv")
        check_bool(shared_head=shared_head)
        ratio = as_number("ratio", ratio, "(0, 4096]")
        num_prefix_tokens = check_natural(num_prefix_tokens=num_prefix_tokens)
        if mode == "bias" and rpe_on != "k":
            raise ValueError(f"rpe_on is {rpe_on!r}, but mode 'bias' only adds to the scores: 'k'")
        self.method, self.rpe_on, self.ratio = method, rpe_on, ratio
        self._joints = {}  # by size: finding them takes longer than using them
        self.looks_at_query = mode == "contextual"
        self.num_buckets = num_buckets(method, ratio) + (num_prefix_tokens > 0)
        super().__init__(num_heads, window_size, init_std, head_dim, num_prefix_tokens, dtype, generator)
        self.factor = 1 / math.sqrt(self.head_dim)
        heads, rows = 1 if shared_head else num_heads, self.num_buckets * (1 + (method == "cross"))
        if mode == "bias":
            self.relative_position_bias_table = self._learned((rows, heads))
        for name in sorted(rpe_on) if mode == "contextual" else ():
            setattr(self, f"lookup_table_{name}", self._learned((heads, rows, head_dim)))

    def make_index(self, q_size, k_size, q_offset=0):
        return self._joint(q_size, k_size)[1]

    def table(self, q_size=None, k_size=None, q_offset=0):
        """Mode "bias": (R', num_heads), for cross with a row for each pair of rows that occurs."""
        if self.looks_at_query:
            raise ValueError("mode 'contextual' has no table of numbers: call the scheme with q and k")
        q_size, k_size, _ = self.sizes(q_size, k_size, q_offset)
        rows = self._joint(q_size, k_size)[0].to(self.index.device)
        summed = wide(self.relative_position_bias_table)[rows].sum(0).to(self.dtype)
        return summed.expand(-1, self.num_heads)

    def forward(self, *args, **kwargs):
        """Mode "bias" as any table; mode "contextual": q, k -> bias (B, H, P + Lq, P + Lk)."""
        if not self.looks_at_query:
            return TableBias.forward(self, *args, **kwargs)
        return self._contextual(*args, **kwargs)

    def _contextual(self, q, k=None, q_size=None, k_size=None, q_offset=0):
        sizes = q_size, k_size, q_offset = self.sizes(q_size, k_size, q_offset)
        self.check_query(q, q_size)
        bias = q.new_zeros(*q.shape[:3], self.indices(*sizes).shape[-1])
        if "k" in self.rpe_on:
            bias = bias + QueryBias.forward(self, q, k, *sizes)
        if "q" in self.rpe_on:
            self.check_keys(k, len(q), k_size)
            floating(q=q, k=k)
            turned = self._joint(k_size, q_size)[1].to(q.device)
            term = ops.score_lookup(k, self._embedding("q", k_size, q_size), turned)
            bias = bias + self.factor * term.transpose(-1, -2)
        return bias

    def embeddings(self, q_size, k_size, q_offset):
        """Of the term that looks at the query; the one that looks at the key has another index."""
        return [self._embedding("k", q_size, k_size)]

    def value_embedding(self, q_size, k_size, q_offset):
        return self._embedding("v", q_size, k_size) if "v" in self.rpe_on else None

    def _embedding(self, name, q_size, k_size):
        """(1 or H, R', d) under the joint index."""
        learned = getattr(self, f"lookup_table_{name}")
        rows = self._joint(q_size, k_size)[0].to(learned.device)
        return wide(learned)[:, rows].sum(1).to(learned.dtype)

    def _joint(self, q_size, k_size):
        sizes = q_size, k_size
        return kept(self._joints, sizes, lambda: self._find_joint(*sizes))

    def _find_joint(self, q_size, k_size):
        """(rows (1 or 2, R'), index (P + Lq, P + Lk)): cross adds two rows up, so it indexes pairs."""
        own = self.num_buckets
        indices = [
            n * own + with_prefix(bucket, self.num_prefix_tokens, own - 1)
            for n, bucket in enumerate(buckets(grid_offsets(q_size, k_size), self.method, self.ratio))
        ]
        if len(indices) == 1:
            return torch.arange(own)[None], indices[0]
        return joint_rows(torch.stack(indices))

    def _learned(self, shape):
        return Parameter(truncated_normal(self.generator, shape, self.init_std, self.dtype))
