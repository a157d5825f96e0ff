"""Softmax cross-entropy with label smoothing (arXiv 1512.00567 §7)."""

from torch import Tensor
from torch.nn import functional

from ..checks import as_number
from ..gate import check_entries, check_shape, floating, integers


def cross_entropy(logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Mean over the batch; logits (N, C), labels (N,) integers in [0, C).

    Raises TypeError/ValueError, on the CPU also for a label outside; N = 0 has no mean.
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
