"""Scaled cosine attention's query and key (Swin Transformer V2, arXiv 2111.09883, eq. 2)."""

import math
from typing import NamedTuple

import numpy as np

from ..checks import check_shape
from ..gate import Cache, floating, gradient, recall
from ..types import Array

MAX_LOG_SCALE = math.log(100)
EPS = 1e-12


class CosineGrads(NamedTuple):
    """The gradients of `cosine_forward`'s arguments."""

    dq: Array
    dk: Array
    dlogit_scale: Array


def cosine_forward(q: Array, k: Array, logit_scale: Array) -> tuple[tuple[Array, Array], Cache]:
    """Normalise q and k for cosine attention: q' = τ q/‖q‖,  k' = k/‖k‖,
    τ = exp(min(logit_scale, ln 100)).

    With scale = 1 the scores q'·k' are τ cos(q, k). ‖·‖ is taken as max(‖·‖, 1e-12).

    q: (B, H, Lq, d).
    k: (B, H, Lk, d).
    logit_scale: (H, 1, 1).
    Returns (q', k') and the cache for `cosine_backward`.
    Raises TypeError/ValueError naming what does not fit.
    """
    q, k, logit_scale = checked_cosine(q, k, logit_scale)
    tau = np.exp(np.minimum(logit_scale, MAX_LOG_SCALE))
    q_hat, q_norm = _normalize(q)
    k_hat, k_norm = _normalize(k)
    cache = Cache(cosine_forward, q_hat, q_norm, k_hat, k_norm, tau, logit_scale)
    return (tau * q_hat, k_hat), cache


def cosine_backward(dout: tuple[Array, Array], cache: Cache) -> CosineGrads:
    """Return the gradients. With û = u/‖u‖:  du = (dû − û (û·dû)) / ‖u‖,  dlogit_scale = Σ dq'·q'.

    Above the clamp, logit_scale > ln 100, dlogit_scale is 0; at it, the gradient passes, as in PyTorch.

    dout: the pair (dq', dk').
    cache: what `cosine_forward` returned.
    """
    q_hat, q_norm, k_hat, k_norm, tau, logit_scale = recall(cache, cosine_forward)
    dq_scaled, dk_hat = checked_pair(dout, q_hat, k_hat)
    dq = _normalize_backward(tau * dq_scaled, q_hat, q_norm)
    dk = _normalize_backward(dk_hat, k_hat, k_norm)
    dtau = (dq_scaled * q_hat).sum((0, 2, 3), keepdims=True)[0]
    return CosineGrads(dq, dk, dtau * tau * (logit_scale <= MAX_LOG_SCALE))


def checked_cosine(q: Array, k: Array, logit_scale: Array) -> tuple[Array, Array, Array]:
    """Return the arguments as plain arrays; raises TypeError/ValueError naming what does not fit."""
    q, k, logit_scale = floating(q=q, k=k, logit_scale=logit_scale)
    check_shape("q", q, (None, None, None, None))
    batch, heads, _, dim = q.shape
    check_shape("k", k, (batch, heads, None, dim))
    check_shape("logit_scale", logit_scale, (heads, 1, 1))
    return q, k, logit_scale


def checked_pair(dout: tuple[Array, Array], q: Array, k: Array) -> tuple[Array, Array]:
    """Return (dq', dk') as plain arrays like q and k; raises TypeError/ValueError."""
    if not isinstance(dout, tuple | list) or len(dout) != 2:
        raise TypeError(f"dout is a {type(dout).__name__}, expected the pair (dq', dk')")
    dq, dk = dout
    return gradient("dout[0]", dq, q.shape, q.dtype), gradient("dout[1]", dk, k.shape, k.dtype)


def _normalize(u: Array) -> tuple[Array, Array]:
    """Return u/‖u‖ along the last axis, and ‖u‖."""
    norm = np.sqrt(np.square(u).sum(-1, keepdims=True))
    return u / np.maximum(norm, EPS), norm


def _normalize_backward(dhat: Array, hat: Array, norm: Array) -> Array:
    """Return du for the gradient of û. Where ‖u‖ was taken as EPS, û = u/EPS: du = dû/EPS."""
    tangent = dhat - hat * (hat * dhat).sum(-1, keepdims=True) * (norm > EPS)
    return tangent / np.maximum(norm, EPS)
