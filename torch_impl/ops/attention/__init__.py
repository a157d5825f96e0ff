"""Attention with relative position bias, by one of several implementations: a file each.

Sources: arXiv 1706.03762 §3.2.1; bias as in arXiv 2103.14030.
"""

from torch import Tensor

from ...types import Implementation
from . import eager
from .inputs import Inputs, check_attention
from .offsets import Offsets
from .query_lookup import QueryLookup
from .registry import implementation_for, use_ops

__all__ = [
    "Inputs",
    "Offsets",
    "QueryLookup",
    "attention",
    "attention_weights",
    "check_attention",
    "use_ops",
]


def attention_weights(
    q: Tensor,
    k: Tensor,
    table: Tensor | None = None,
    index: Tensor | None = None,
    bias: Tensor | None = None,
    mask: Tensor | None = None,
    scale: float | None = None,
    offsets: Offsets | None = None,
    query_lookup: QueryLookup | None = None,
) -> Tensor:
    """Return the probabilities P = softmax(scale · q kᵀ + table[index] + bias + mask), (B, H, Lq, Lk).

    Arguments and errors as for `attention`.
    """
    inputs = check_attention(
        q, k, k, table, index, bias, mask, scale, offsets=offsets, query_lookup=query_lookup
    )
    return eager.weights(inputs)  # no values are needed: k stands for them


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    table: Tensor | None = None,
    index: Tensor | None = None,
    bias: Tensor | None = None,
    mask: Tensor | None = None,
    scale: float | None = None,
    dropout: Tensor | None = None,
    value_embedding: Tensor | None = None,
    value_index: Tensor | None = None,
    implementation: Implementation | None = None,
    offsets: Offsets | None = None,
    query_lookup: QueryLookup | None = None,
) -> Tensor:
    """Attend with a position bias: out = (P ∘ D) v,
    P = softmax(scale · q kᵀ + table[index] + bias + mask).

    q: (B, H, Lq, d).
    k: (B, H, Lk, d).
    v: (B, H, Lk, dv).
    table, index: (R, H) and integers (Lq, Lk) in [0, R), the static bias; both or neither.
    bias: a dense bias; broadcasts to (B, H, Lq, Lk).
    mask: is added too; broadcasts to (B, H, Lq, Lk). With a first axis nW that divides B it is the mask
        of shifted windows: element b of the batch uses mask[b mod nW].
    scale: factor of q kᵀ, 1/√d unless given.
    dropout: D, a multiplier drawn beforehand, 0 or 1/(1−p), (B, H, Lq, Lk); 1 unless given.
    value_embedding, value_index: (H or 1, R, dv) and (Lq, Lk); each pair's row is added to its value, as
        in `value_lookup`.
    implementation: "eager", "sdpa", "flex", "triton", "auto", or None for the one that `use_ops`
        prefers. "auto" is eager on a CPU; on CUDA it is the first of "triton", "sdpa" and "eager" that
        takes the call.
    offsets: `Offsets`, in place of the index or beside it, for a bias that depends on the offset only.
    query_lookup: `QueryLookup`, a bias that looks at the query; is added too.
    Returns out (B, H, Lq, dv). A row masked with nothing but −inf gives NaN (sdpa and flex: 0).
    Raises ValueError/TypeError naming the argument that does not fit, and ValueError for an
    `implementation` that cannot take the call; docs/api.md lists what each refuses. Lk = 0 is an error.
    """
    inputs = check_attention(
        q,
        k,
        v,
        table,
        index,
        bias,
        mask,
        scale,
        dropout,
        value_embedding,
        value_index,
        offsets,
        query_lookup,
    )
    return implementation_for(inputs, implementation).attend(inputs)
