"""The custom operator: what torch.compile and torch.export see, with its shapes and its gradient."""

from typing import Any

import torch
from torch import Tensor

from . import launch

_Grads = tuple[Tensor, Tensor, Tensor, Tensor]


@torch.library.custom_op("torch_impl::triton_attention", mutates_args=())
def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    table: Tensor | None,
    index: Tensor | None,
    queries: Tensor | None,
    keys: Tensor | None,
    mask: Tensor | None,
    scale: float,
    prefix: int,
    causal: int | None,
) -> tuple[Tensor, Tensor]:
    """Return out (B, H, Lq, dv) and the log of each row's sum (B, H, Lq); see `launch.Terms`."""
    return launch.forward(
        q, k, v, launch.Terms(table, index, queries, keys, mask, scale, prefix, causal)
    )


@attention.register_fake
def _(q: Tensor, k: Tensor, v: Tensor, *terms: Any) -> tuple[Tensor, Tensor]:
    return launch.forward_like(q, v)


@torch.library.custom_op("torch_impl::triton_attention_backward", mutates_args=())
def attention_backward(
    dout: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    out: Tensor,
    lse: Tensor,
    table: Tensor | None,
    index: Tensor | None,
    queries: Tensor | None,
    keys: Tensor | None,
    mask: Tensor | None,
    scale: float,
    prefix: int,
    causal: int | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return dq, dk, dv and dtable, which is empty without a table."""
    terms = launch.Terms(table, index, queries, keys, mask, scale, prefix, causal)
    return launch.backward(dout, q, k, v, out, lse, terms)


@attention_backward.register_fake
def _(
    dout: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    out: Tensor,
    lse: Tensor,
    table: Tensor | None,
    *terms: Any,
) -> _Grads:
    return launch.backward_like(q, k, v, table)


def _setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    *tensors, ctx.scale, ctx.prefix, ctx.causal = inputs
    ctx.mark_non_differentiable(output[1])
    ctx.save_for_backward(*tensors, *output)


def _backward(ctx: Any, dout: Tensor, dlse: Tensor | None) -> tuple[Tensor | None, ...]:
    q, k, v, *terms, out, lse = ctx.saved_tensors
    grads = attention_backward(dout, q, k, v, out, lse, *terms, ctx.scale, ctx.prefix, ctx.causal)
    dtable = None if terms[0] is None else grads[3]
    return (*grads[:3], dtable, None, None, None, None, None, None, None)


attention.register_autograd(_backward, setup_context=_setup)
