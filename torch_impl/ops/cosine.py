"""Scaled cosine attention's query and key (Swin Transformer V2, arXiv 2111.09883, eq. 2)."""

import math

from torch.nn.functional import normalize


def cosine(q, k, logit_scale):
    """q' = τ q/‖q‖,  k' = k/‖k‖,  τ = exp(min(logit_scale, ln 100)); logit_scale (H, 1, 1)."""
    tau = logit_scale.clamp(max=math.log(100)).exp()
    return tau * normalize(q, dim=-1), normalize(k, dim=-1)
