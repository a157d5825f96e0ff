"""Softmax cross-entropy with label smoothing (arXiv 1512.00567 §7)."""

import torch
from torch.nn import functional


def cross_entropy(logits, labels, label_smoothing=0.0):
    """Mean over the batch; logits (N, C), labels (N,) int64."""
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing is {label_smoothing}, expected a number in [0, 1]")
    nothing = torch.iinfo(torch.int64).min  # PyTorch would silently leave out labels of −100
    return functional.cross_entropy(
        logits, labels, ignore_index=nothing, label_smoothing=label_smoothing
    )
