"""WavLM's gated relative position bias (arXiv 2110.13900 §3.2): T5's, scaled by a gate of the input."""

import numpy as np

from ..checks import check_positive_int, check_shape
from ..dispatch import F
from ..gate import floating, gradient
from ..nn import Linear, Parameter
from ..ops import AttentionGrads
from ..types import Array, DTypeLike, Generator, SizeLike
from ._base import ScoreTerms, TermGrads
from ._query import QueryGrads
from ._table import TableBias
from .t5 import T5


class GatedT5(T5):
    """Scale T5's bias with a gate that reads the input x, split into heads:
    bias[b, h, i, j] = gate[b, h, i] · table[bucket(i − j), h],  gate = a (b' · const_h − 1) + 2,
    (a, b') = σ(the sums of the first four and of the last four of W x[b, h, i] + w).

    The paper's gate reads q, its code reads the layer's input, and so does this. Options and table are
    those of "t5" (WavLM: num_buckets 320, max_distance 800).

    head_dim: width d of a head.

    Gradients, with t the gathered table: dt = Σ_b gate · dbias, dgate = Σ_j t · dbias,
    da = dgate (b' const − 1), db' = dgate · a · const, dconst = Σ dgate · a b'.
    Prefix tokens: no bias. Sizes at call time: any, with q_offset.
    State: relative_position_bias_table (num_buckets, H); gru_rel_pos_linear, W (8, d) and w (8,);
    gru_rel_pos_const (1, H, 1, 1), one at first.
    Source: arXiv 2110.13900 §3.2. Used by WavLM.
    """

    bias_type = "gated_t5"
    looks_at_query = True

    def __init__(
        self,
        num_heads: int,
        window_size: SizeLike,
        init_std: float = 0.02,
        *,
        head_dim: int,
        num_buckets: int = 32,
        max_distance: int = 128,
        bidirectional: bool = True,
        num_prefix_tokens: int = 0,
        dtype: DTypeLike | None = None,
        generator: Generator | None = None,
    ):
        self.head_dim: int = check_positive_int(head_dim=head_dim)
        super().__init__(
            num_heads,
            window_size,
            init_std,
            num_buckets=num_buckets,
            max_distance=max_distance,
            bidirectional=bidirectional,
            num_prefix_tokens=num_prefix_tokens,
            dtype=dtype,
            generator=generator,
        )
        self.gru_rel_pos_const = Parameter(np.ones((1, self.num_heads, 1, 1), self.dtype))
        self.gru_rel_pos_linear = Linear(self.head_dim, 8, dtype=self.dtype, generator=self.generator)

    def score_terms(self, x: Array, q: Array, k: Array) -> ScoreTerms:
        """Return `ScoreTerms`: the bias, whose gate reads x instead of q."""
        check_shape("x", x, (None, None, self.num_heads * self.head_dim))
        heads = x.reshape(*x.shape[:2], self.num_heads, self.head_dim).swapaxes(1, 2)
        return ScoreTerms(bias=self(heads, None, *self.sizes_of(x.shape[1], "x")))

    def score_terms_backward(self, grads: AttentionGrads) -> TermGrads:
        assert grads.dbias is not None  # the terms have a bias
        dheads, _ = self.backward(grads.dbias)
        assert dheads is not None  # (B, H, L, d)
        batch, heads, length, dim = dheads.shape
        return TermGrads(dx=dheads.swapaxes(1, 2).reshape(batch, length, heads * dim))

    # It shares T5's table and buckets, and is called as a scheme that looks at the query.
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        q: Array,
        k: Array | None = None,
        q_size: SizeLike | None = None,
        k_size: SizeLike | None = None,
        q_offset: int = 0,
    ) -> Array:
        """Return the bias (B, H, P + Lq, P + Lk).

        q: the layer's input in heads, (B, H, P + Lq, d); k: not read; q_size, k_size, q_offset: as
            `sizes`.
        """
        static = TableBias.forward(self, q_size, k_size, q_offset)
        (q,) = floating(q=q)
        check_shape("q", q, (None, self.num_heads, static.shape[1], self.head_dim))
        sums = self.gru_rel_pos_linear(q).reshape(*q.shape[:3], 2, 4).sum(-1)  # (B, H, Lq, 2)
        gates, self._sigmoid = F.sigmoid_forward(sums)
        a, b = gates[..., :1], gates[..., 1:]
        gate = a * (b * self.gru_rel_pos_const.data - 1) + 2  # (B, H, Lq, 1)
        self._gated = a, b, gate, static
        return gate * static

    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, dbias: Array
    ) -> QueryGrads:
        """Add the parameters' gradients up; return QueryGrads(gradient of the input in heads, None).

        dbias: (B, H, P + Lq, P + Lk).
        """
        a, b, gate, static = self.spend("_gated")
        dbias = gradient("dbias", dbias, (*gate.shape[:3], static.shape[2]), static.dtype)
        const = self.gru_rel_pos_const.data
        TableBias.backward(self, (gate * dbias).sum(0))
        dgate = (dbias * static).sum(-1, keepdims=True)  # (B, H, Lq, 1)
        self.gru_rel_pos_const.accumulate((dgate * a * b).sum((0, 2), keepdims=True))
        dgates = np.concatenate([dgate * (b * const - 1), dgate * a * const], axis=-1)
        dsums = F.sigmoid_backward(dgates, self._sigmoid)
        return QueryGrads(self.gru_rel_pos_linear.backward(np.repeat(dsums, 4, axis=-1)), None)
