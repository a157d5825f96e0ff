"""PyTorch's FlexAttention (arXiv 2412.05496): a fused kernel that looks the table up by a score_mod.

Nothing of size H · Lq · Lk is made for the table, and with `Offsets` no index (Lq, Lk) either.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, flex_attention

from ...gate import check_entries
from ...wide import wide
from .inputs import Inputs
from .offsets import Offsets

LEAST_CHANNELS = 16  # of a head on CUDA: the smallest matrix that Triton multiplies
MOST_GRAPHS = 256  # a Swin has one per stage, mask and mode; Dynamo's own limit is 8
BLOCK = 128  # FlexAttention's block of queries and of keys

Attention = Callable[..., Tensor]
ScoreMod = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]
Term = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]  # (b, h, i, j) -> what is added to a score


def refusal(inputs: Inputs) -> str | None:
    """Return why this implementation cannot take the call, or None."""
    if inputs.dropout is not None:
        return "dropout multiplies the probabilities, which it does not give"
    if inputs.value_embedding is not None:
        return "value_embedding needs the probabilities, which it does not give"
    if not inputs.q.numel() or not inputs.v.numel():
        return "there is nothing to compute: q or v is empty"
    return refusal_of_device(inputs)


def refusal_of_device(inputs: Inputs) -> str | None:
    """Return why FlexAttention's kernels for the device cannot take the call, or None."""
    device = inputs.q.device.type
    if device not in ("cpu", "cuda"):
        return f"it is for CUDA and CPUs, not for {device!r}"
    if inputs.q.dtype == torch.float64:
        return "it has no float64"
    if device == "cuda":
        narrow = min(inputs.q.shape[3], inputs.v.shape[3]) < LEAST_CHANNELS
        return f"on CUDA a head has at least {LEAST_CHANNELS} channels" if narrow else None
    if torch.is_grad_enabled() and any(x.requires_grad for x in _tensors(inputs)):
        return "on a CPU it has no backward: call it under torch.no_grad()"
    if torch.compiler.is_compiling():
        return "on a CPU it is not for use within torch.compile, which fails there for dynamic lengths"
    if torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        return "on a CPU it needs AVX2"
    return None


def _tensors(inputs: Inputs) -> list[Tensor]:
    lookup = inputs.query_lookup
    of_query = () if lookup is None else (lookup.q, *lookup.embeddings, lookup.base)
    return [x for x in (*inputs, *of_query) if isinstance(x, Tensor)]


def attend(inputs: Inputs) -> Tensor:
    """Return out (B, H, Lq, dv); a row masked with nothing but −inf gives 0.

    On CUDA the table's gradient is added up by atomics, so that its bits may differ between runs.
    """
    qkv = inputs.q, inputs.k, inputs.v
    if inputs.q.device.type == "cpu" and not torch.compiler.is_compiling():
        _check_indices(inputs)
    if inputs.q.device.type == "cpu" and not torch.is_grad_enabled():
        qkv = tuple(x.detach() for x in qkv)  # it refuses what requires a gradient in any mode
    return kernel(inputs.q.device.type)(
        *qkv, score_mod=score_mod(inputs), block_mask=block_mask(inputs), scale=inputs.scale
    )


def _check_indices(inputs: Inputs) -> None:
    """Raise ValueError for an entry out of range: the kernel would count a negative one from the end."""
    if inputs.table is not None and inputs.index is not None:
        check_entries("index", inputs.index, len(inputs.table))
    if inputs.query_lookup is not None:
        lookup = inputs.query_lookup
        for embedding, index in zip(lookup.embeddings, lookup.indices, strict=True):
            check_entries("query_lookup.indices", index, embedding.shape[1])


def kernel(device: str) -> Attention:
    """Return flex_attention, compiled; within a graph that is being compiled it becomes part of that."""
    return cast("Attention", flex_attention) if torch.compiler.is_compiling() else _compiled(device)


@cache
def _compiled(device: str) -> Attention:
    # On a CPU inductor 2.13 writes wrong C++ for a table under dynamic lengths: a graph per length.
    dynamic = False if device == "cpu" else None
    compiled = cast("Attention", torch.compile(flex_attention, fullgraph=True, dynamic=dynamic))
    config = torch._dynamo.config  # pyright: ignore[reportPrivateUsage]

    def call(*qkv: Tensor, **options: Any) -> Tensor:
        with config.patch(recompile_limit=MOST_GRAPHS):
            return compiled(*qkv, **options)

    return call


def score_mod(inputs: Inputs) -> ScoreMod | None:
    """Return the function (score, b, h, i, j) -> score that adds everything to a scaled score."""
    lookup = inputs.query_lookup
    dense = inputs.bias, inputs.mask, None if lookup is None else lookup.base
    terms = [_dense(term) for term in dense if term is not None]
    if inputs.table is not None:
        terms.append(_of_table(inputs.table, inputs.index, inputs.offsets))
    if lookup is not None:
        pairs = zip(lookup.products(), lookup.indices, strict=True)
        terms += [_of_query(product, index) for product, index in pairs]
    if not terms:
        return None

    def add(score: Tensor, b: Tensor, h: Tensor, i: Tensor, j: Tensor) -> Tensor:
        for term in terms:
            score = score + term(b, h, i, j)
        return score

    return add


def _of_table(table: Tensor, index: Tensor | None, offsets: Offsets | None) -> Term:
    """Return (b, h, i, j) -> table[index[i, j], h].

    With offsets the rows are brought into their order first. Then the kernel reads no index, and its
    backward adds a pair's gradient to its offset's, where fewer atomics meet than in a bucket's row.
    """
    if offsets is None:
        assert index is not None
        rows, pairs = wide(table), index
        return lambda b, h, i, j: rows[pairs[i, j], h]
    rows = offsets.by_offset(wide(table))
    return lambda b, h, i, j: rows[_offset(offsets, len(rows), i, j), h]


def _of_query(products: Tensor, index: Tensor) -> Term:
    """Return (b, h, i, j) -> products[b, h, i, index[i, j]]."""
    return lambda b, h, i, j: products[b, h, i, index[i, j]]


def _offset(offsets: Offsets, num_rows: int, i: Tensor, j: Tensor) -> Tensor:
    """Return where the pair's row is among those in the order of the offsets."""
    p, first = offsets.num_prefix_tokens, num_rows - 3
    offset = offsets.queries[i] + offsets.keys[j]
    if not p:
        return offset
    of_prefix_query = torch.where(j < p, first + 2, first)
    return torch.where(i < p, of_prefix_query, torch.where(j < p, first + 1, offset))


def _dense(term: Tensor) -> Term:
    """Return (b, h, i, j) -> the term there; axes of size 1 broadcast, and windows repeat along b."""
    term = term[(None,) * (4 - term.dim())]
    windows = len(term)
    axes = [axis for axis, size in enumerate(term.shape) if size > 1] or [0]
    kept = term.reshape([term.shape[axis] for axis in axes])

    def at(b: Tensor, h: Tensor, i: Tensor, j: Tensor) -> Tensor:
        place = (b % windows, h, i, j)
        return kept[tuple(place[axis] for axis in axes)]

    return at


def block_mask(inputs: Inputs) -> BlockMask | None:
    """Return which blocks of pairs to visit, if the offsets hide pairs after the query, else None.

    The rows of hidden pairs hold −inf, so that a block need only be skipped if no pair in it is visible.
    """
    if inputs.offsets is None or inputs.offsets.causal is None:
        return None
    causal, p = inputs.offsets.causal, inputs.offsets.num_prefix_tokens
    q_len, k_len = inputs.q.shape[2], inputs.k.shape[2]
    i, j = (torch.arange(0, length, BLOCK, device=inputs.q.device) for length in (q_len, k_len))
    last = (i + BLOCK - 1).clamp(max=q_len - 1)
    hidden = (j > last[:, None] + causal) & (j >= p) & (i[:, None] >= p)
    visited = (~hidden).int()
    indices = visited.argsort(dim=1, descending=True, stable=True).int()
    counts = visited.sum(1, dtype=torch.int)
    return BlockMask.from_kv_blocks(
        counts[None, None],
        indices[None, None],
        BLOCK_SIZE=BLOCK,
        seq_lengths=(q_len, k_len),
    )
