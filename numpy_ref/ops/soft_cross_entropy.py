"""Softmax cross-entropy with a share of every class as the target (mixup, arXiv 1710.09412 §2)."""

import numpy as np

from ..checks import as_number, check_shape
from ..gate import Cache, as_scalar, floating, recall
from ..types import Array


def soft_cross_entropy_forward(
    logits: Array, targets: Array, label_smoothing: float = 0.0
) -> tuple[np.floating, Cache]:
    """Return the mean cross-entropy: loss = −(1/N) Σ_n Σ_c t[n, c] log softmax(logits[n])[c],
    t = (1 − s) · targets + s / C.

    logits: (N, C).
    targets: (N, C), the share of each class; a row need not sum to 1. It gets no gradient.
    label_smoothing: s in [0, 1].
    Returns the loss, a scalar of the logits' dtype, and the cache for `soft_cross_entropy_backward`.
    Raises TypeError/ValueError naming what does not fit. N = 0, which has no mean, is an error.
    """
    logits, targets = floating(logits=logits, targets=targets)
    check_shape("logits", logits, (None, None))
    check_shape("targets", targets, logits.shape)
    if not logits.size:
        raise ValueError(
            f"logits has shape {logits.shape}: the mean loss of an empty batch is undefined"
        )
    smoothing = as_number("label_smoothing", label_smoothing, "[0, 1]")
    target = (1 - smoothing) * targets + smoothing / logits.shape[1]
    shifted = logits - logits.max(-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return -(target * log_p).sum(-1).mean(), Cache(soft_cross_entropy_forward, log_p, target)


def soft_cross_entropy_backward(dloss: float | np.floating | Array, cache: Cache) -> Array:
    """Return dlogits = dloss · (softmax(logits) · Σ_c t − t) / N.

    dloss: a number.
    cache: what `soft_cross_entropy_forward` returned.
    """
    log_p, target = recall(cache, soft_cross_entropy_forward)
    dloss = log_p.dtype.type(as_scalar("dloss", dloss))  # a float64 scalar would widen the gradient
    dlogits = np.exp(log_p) * target.sum(-1, keepdims=True) - target
    return dloss * dlogits / log_p.dtype.type(len(log_p))
