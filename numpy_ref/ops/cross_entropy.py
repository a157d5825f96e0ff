"""Softmax cross-entropy with label smoothing (arXiv 1512.00567 §7)."""

import numpy as np

from ..checks import check_floating, check_shape


def cross_entropy_forward(logits, labels, label_smoothing=0.0):
    """loss = −(1/N) Σ_n Σ_c t[n, c] log softmax(logits[n])[c].

    t = (1 − s) · onehot(label) + s / C with s = label_smoothing.
    logits (N, C), labels (N,) integers in [0, C) -> loss (scalar), cache.
    """
    labels = check_labels(logits, labels, label_smoothing)
    count, classes = logits.shape
    target = np.full_like(logits, label_smoothing / classes)
    target[np.arange(count), labels] += 1 - label_smoothing
    shifted = logits - logits.max(-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return -(target * log_p).sum(-1).mean(), (log_p, target)


def cross_entropy_backward(dloss, cache):
    """dlogits = dloss · (softmax(logits) − t) / N."""
    log_p, target = cache
    dloss = log_p.dtype.type(dloss)  # a float64 scalar would widen the gradient
    return dloss * (np.exp(log_p) - target) / log_p.dtype.type(len(log_p))


def check_labels(logits, labels, label_smoothing):
    """The labels as an array, one in [0, C) for each row of logits; raises TypeError/ValueError."""
    check_floating(logits=logits)
    check_shape("logits", logits, (None, None))
    labels = np.asarray(labels)
    check_shape("labels", labels, logits.shape[:1])
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(f"labels has dtype {labels.dtype}, expected an integer dtype")
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing is {label_smoothing}, expected a number in [0, 1]")
    count, classes = logits.shape
    if count == 0:
        raise ValueError("logits has no rows: the mean loss of an empty batch is undefined")
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"labels has entries in [{labels.min()}, {labels.max()}], expected [0, {classes})"
        )
    return labels
