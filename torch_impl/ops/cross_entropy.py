"""Softmax cross-entropy with label smoothing (arXiv 1512.00567 §7)."""

from torch import Tensor
from torch.nn import functional

from ..checks import as_number
from ..gate import check_entries, check_shape, floating, integers


def cross_entropy(logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Return the mean cross-entropy: loss = −(1/N) Σ_n Σ_c t[n, c] log softmax(logits[n])[c],
    t = (1 − s) · onehot(label) + s / C.

    logits: (N, C).
    labels: integers (N,) in [0, C).
    label_smoothing: s in [0, 1].
    Raises TypeError/ValueError, for a label outside [0, C) only on the CPU; N = 0 has no mean.
    """
    (logits,) = floating(logits=logits)
    check_shape("logits", logits, (None, None))
    count, classes = logits.shape
    labels = integers("labels", labels, count)
    if not count:
        raise ValueError("logits has no rows: the mean loss of an empty batch is undefined")
    smoothing = as_number("label_smoothing", label_smoothing, "[0, 1]")
    known = labels.clamp(min=-1)  # PyTorch would leave out a label that is `ignore_index`
    try:
        return functional.cross_entropy(logits, known, ignore_index=-2, label_smoothing=smoothing)
    except (IndexError, RuntimeError):
        check_entries("labels", labels, classes)
        raise
