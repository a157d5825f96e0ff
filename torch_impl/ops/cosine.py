"""Scaled cosine attention's query and key (Swin Transformer V2, arXiv 2111.09883, eq. 2)."""

import math
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..gate import check_shape, floating
from ..wide import wide


def cosine(q: Tensor, k: Tensor, logit_scale: Tensor) -> tuple[Tensor, Tensor]:
    """Normalise q and k for cosine attention: q' = τ q/‖q‖,  k' = k/‖k‖,
    τ = exp(min(logit_scale, ln 100)).

    q: (B, H, Lq, d).
    k: (B, H, Lk, d).
    logit_scale: (H, 1, 1).
    Half precision is computed in float32 and rounded once: in float16 1e-12 would be 0, and a zero
    vector NaN. The gradient of a zero vector, dû / 1e-12, is limited to float16's largest number: an
    infinity times the zero input of a padded token would be NaN in the weight's gradient.

    Returns (q', k'). Raises TypeError/ValueError naming what does not fit.
    """
    q, k, logit_scale = floating(q=q, k=k, logit_scale=logit_scale)
    check_shape("q", q, (None, None, None, None))
    batch, heads, _, dim = q.shape
    check_shape("k", k, (batch, heads, None, dim))
    check_shape("logit_scale", logit_scale, (heads, 1, 1))
    tau = wide(logit_scale).clamp(max=math.log(100)).exp()
    q_hat, k_hat = (normalize(limited(wide(x), x.dtype), dim=-1) for x in (q, k))
    return (tau * q_hat).to(q.dtype), k_hat.to(k.dtype)


def limited(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Return x, whose gradient is limited to what float16 can hold if that is the dtype."""
    return cast("Tensor", _Limited.apply(x)) if dtype == torch.float16 else x


class _Limited(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:
        most = torch.finfo(torch.float16).max
        return grad_outputs[0].clamp(-most, most)
