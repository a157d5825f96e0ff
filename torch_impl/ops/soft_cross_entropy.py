"""Softmax cross-entropy with a share of every class as the target (mixup, arXiv 1710.09412 §2)."""

from torch import Tensor
from torch.nn import functional

from ..checks import as_number
from ..gate import check_shape, floating


def soft_cross_entropy(logits: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Return the mean cross-entropy: loss = −(1/N) Σ_n Σ_c t[n, c] log softmax(logits[n])[c],
    t = (1 − s) · targets + s / C.

    logits: (N, C).
    targets: (N, C), the share of each class; a row need not sum to 1. It gets no gradient.
    label_smoothing: s in [0, 1].
    Raises TypeError/ValueError naming what does not fit. N = 0, which has no mean, is an error.
    """
    logits, targets = floating(logits=logits, targets=targets)
    check_shape("logits", logits, (None, None))
    check_shape("targets", targets, tuple(logits.shape))
    if not logits.numel():
        shape = tuple(logits.shape)
        raise ValueError(f"logits has shape {shape}: the mean loss of an empty batch is undefined")
    smoothing = as_number("label_smoothing", label_smoothing, "[0, 1]")
    return functional.cross_entropy(logits, targets.detach(), label_smoothing=smoothing)
