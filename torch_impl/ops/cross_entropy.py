"""Softmax cross-entropy with label smoothing (arXiv 1512.00567 §7)."""

from torch.nn import functional


def cross_entropy(logits, labels, label_smoothing=0.0):
    """Mean over the batch; logits (N, C), labels (N,) int64."""
    return functional.cross_entropy(logits, labels, label_smoothing=label_smoothing)
