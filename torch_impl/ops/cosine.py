"""Scaled cosine attention's query and key (Swin Transformer V2, arXiv 2111.09883, eq. 2)."""

import math

from torch import Tensor
from torch.nn.functional import normalize

from ..gate import check_shape, floating


def cosine(q: Tensor, k: Tensor, logit_scale: Tensor) -> tuple[Tensor, Tensor]:
    """Normalise q and k for cosine attention: q' = τ q/‖q‖,  k' = k/‖k‖,
    τ = exp(min(logit_scale, ln 100)).

    q: (B, H, Lq, d).
    k: (B, H, Lk, d).
    logit_scale: (H, 1, 1).
    Returns (q', k'). Raises TypeError/ValueError naming what does not fit.
    """
    q, k, logit_scale = floating(q=q, k=k, logit_scale=logit_scale)
    check_shape("q", q, (None, None, None, None))
    batch, heads, _, dim = q.shape
    check_shape("k", k, (batch, heads, None, dim))
    check_shape("logit_scale", logit_scale, (heads, 1, 1))
    tau = logit_scale.clamp(max=math.log(100)).exp()
    return tau * normalize(q, dim=-1), normalize(k, dim=-1)
