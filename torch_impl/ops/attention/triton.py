"""Attention by kernels in Triton: nothing of size H · Lq · Lk is stored, forward or backward.

The kernels read the table under the index or, with `Offsets`, compute the row from the two tokens. The
table's gradient is made without atomics, so that its bits are the same in every run. docs/triton.md
explains the passes. On a CPU they run in Triton's interpreter, if TRITON_INTERPRET=1 is set when they
are first used: slow, for tests.
"""

import importlib.util
import math
import os

import torch
from torch import Tensor

from ...wide import wide
from .inputs import Inputs

DTYPES = torch.float32, torch.float16, torch.bfloat16
MOST_CHANNELS = 256  # more would spill
INSTALLED = importlib.util.find_spec("triton") is not None  # PyTorch 2.11 cannot trace the search


def refusal(inputs: Inputs) -> str | None:
    """Return why this implementation cannot take the call, or None."""
    wrong = _wrong_terms(inputs) | _wrong_tensors(inputs.q, inputs.v) | _too_large(inputs)
    reasons = wrong | _no_triton(inputs.q)
    return next((reason for reason, holds in reasons.items() if holds), None)


def _wrong_terms(inputs: Inputs) -> dict[str, bool]:
    """Return {reason: whether it holds} for what is added or multiplied."""
    bias, mask, embedding = inputs.bias, inputs.mask, inputs.value_embedding
    return {
        "dropout multiplies the probabilities, which it does not give": inputs.dropout is not None,
        "value_embedding needs the probabilities, which it does not give": embedding is not None,
        "it has no gradient for bias": bias is not None and bias.requires_grad,
        "it has no gradient for mask": mask is not None and mask.requires_grad,
        "it adds a bias or a mask, not both": bias is not None and mask is not None,
        "query_lookup reads the query, which it does not": inputs.query_lookup is not None,
    }


def _wrong_tensors(q: Tensor, v: Tensor) -> dict[str, bool]:
    fewest, most = min(q.shape[3], v.shape[3]), max(q.shape[3], v.shape[3])
    return {
        f"q has dtype {q.dtype}, expected float32, float16 or bfloat16": q.dtype not in DTYPES,
        f"q has {q.shape[3]} channels and v {v.shape[3]}, expected 1 to {MOST_CHANNELS}": (
            fewest < 1 or most > MOST_CHANNELS
        ),
        f"q has shape {tuple(q.shape)}: there is nothing to compute": 0 in q.shape,
    }


def _too_large(inputs: Inputs) -> dict[str, bool]:
    """Return the reasons for sizes that an int32 does not count: of q[b], and of mask[b, h].

    The reasons hold no numbers: torch.compile would make a constant of each.
    """
    q, k, v = inputs.q, inputs.k, inputs.v
    elements = q.shape[1] * max(q.shape[2], k.shape[2]) * max(q.shape[3], v.shape[3])
    pairs = [inputs.bias, inputs.mask, inputs.index if inputs.offsets is None else None]
    most = max([0, *(math.prod(x.shape[-2:]) for x in pairs if x is not None)])
    return {
        "heads × tokens × channels is 2**31 or more": elements >= 2**31,
        "index, bias or mask has 2**31 pairs of tokens or more": most >= 2**31,
    }


def _no_triton(q: Tensor) -> dict[str, bool]:
    kind = q.device.type
    hint = " (or the variable TRITON_INTERPRET=1)" if kind == "cpu" else ""
    runs = kind == "cuda" or (kind == "cpu" and os.environ.get("TRITON_INTERPRET") == "1")
    return {
        "Triton is not installed": not INSTALLED,
        f"q is on {kind}, expected cuda{hint}": not runs,
    }


def attend(inputs: Inputs) -> Tensor:
    """Return out (B, H, Lq, dv); a row masked with nothing but −inf gives NaN."""
    from .triton_kernels.operator import attention  # Triton is no requirement of this package

    table, offsets, index = inputs.table, inputs.offsets, inputs.index
    queries = keys = None
    if table is not None:
        table = wide(table)
    if table is not None and offsets is not None:
        table, index = offsets.by_offset(table), None
        queries, keys = offsets.queries, offsets.keys
    out, _ = attention(
        *_same_dtype(inputs.q, inputs.k, inputs.v),
        table,
        None if index is None else _in_int32(index),
        queries,
        keys,
        _with_four_axes(inputs.bias if inputs.mask is None else inputs.mask),
        inputs.scale,
        0 if offsets is None else offsets.num_prefix_tokens,
        None if offsets is None else offsets.causal,
    )
    return out


def _in_int32(index: Tensor) -> Tensor:
    """Return the index as int32; what that cannot hold is no row, and must not become one."""
    index = index.clamp(-1, 2**31 - 1) if index.dtype == torch.int64 else index
    return index.to(torch.int32)


def _same_dtype(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Return q, k and v in autocast's dtype, where it is on."""
    kind = tensors[0].device.type
    if not torch.is_autocast_enabled(kind):
        return tensors
    return tuple(x.to(torch.get_autocast_dtype(kind)) for x in tensors)


def _with_four_axes(mask: Tensor | None) -> Tensor | None:
    return mask if mask is None else mask.reshape((1,) * (4 - mask.dim()) + mask.shape)
