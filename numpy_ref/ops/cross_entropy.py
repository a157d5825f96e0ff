"""Softmax cross-entropy with label smoothing (arXiv 1512.00567 §7)."""

import numpy as np

from ..checks import as_number, check_shape
from ..gate import Cache, as_scalar, check_entries, floating, integers, recall
from ..types import Array


def cross_entropy_forward(
    logits: Array, labels: Array, label_smoothing: float = 0.0
) -> tuple[np.floating, Cache]:
    """Return the mean cross-entropy: loss = −(1/N) Σ_n Σ_c t[n, c] log softmax(logits[n])[c],
    t = (1 − s) · onehot(label) + s / C.

    logits: (N, C).
    labels: integers (N,) in [0, C).
    label_smoothing: s in [0, 1].
    Returns the loss, a scalar of the logits' dtype, and the cache for `cross_entropy_backward`.
    Raises TypeError/ValueError naming what does not fit. N = 0, which has no mean, is an error.
    """
    logits, labels, label_smoothing = checked_labels(logits, labels, label_smoothing)
    count, classes = logits.shape
    target = np.full_like(logits, label_smoothing / classes)
    target[np.arange(count), labels] += 1 - label_smoothing
    shifted = logits - logits.max(-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return -(target * log_p).sum(-1).mean(), Cache(cross_entropy_forward, log_p, target)


def cross_entropy_backward(dloss: float | np.floating | Array, cache: Cache) -> Array:
    """Return dlogits = dloss · (softmax(logits) − t) / N.

    dloss: a number.
    cache: what `cross_entropy_forward` returned.
    """
    log_p, target = recall(cache, cross_entropy_forward)
    dloss = log_p.dtype.type(as_scalar("dloss", dloss))  # a float64 scalar would widen the gradient
    return dloss * (np.exp(log_p) - target) / log_p.dtype.type(len(log_p))


def checked_labels(logits: Array, labels: Array, label_smoothing: float) -> tuple[Array, Array, float]:
    """Return plain arrays, a label in [0, C) for each row, and a float; raises TypeError/ValueError."""
    (logits,) = floating(logits=logits)
    check_shape("logits", logits, (None, None))
    count, classes = logits.shape
    labels = integers("labels", labels, count)
    if not count:
        raise ValueError("logits has no rows: the mean loss of an empty batch is undefined")
    check_entries("labels", labels, classes)
    return logits, labels, as_number("label_smoothing", label_smoothing, "[0, 1]")
