"""Softmax cross-entropy whose gradient is made on the way to the loss, in one go over the logits."""

import math

import numpy as np

from ..gate import Cache, as_scalar, recall
from ..ops.cross_entropy import checked_labels
from .machine import threads
from .machine.arrays import contiguous
from .machine.exp import exp
from .machine.jit import compiled
from .machine.simd import address, lanes, load_first, only_first, splat, store_first, total
from .machine.threads import share, taken

HEIGHT = 64  # rows of a piece


def cross_entropy_forward(logits, labels, label_smoothing=0.0):
    """loss = −(1/N) Σ_n Σ_c t[n, c] log softmax(logits[n])[c]; see `numpy_ref.ops`."""
    logits, labels, smooth = checked_labels(logits, labels, label_smoothing)
    logits, labels = contiguous(logits, labels)
    losses, dlogits = np.empty(len(logits)), np.empty_like(logits)
    threads.run(_rows, -(-len(logits) // HEIGHT), logits, labels, smooth, losses, dlogits)
    return logits.dtype.type(losses.mean()), Cache(cross_entropy_forward, dlogits)


def cross_entropy_backward(dloss, cache):
    """dlogits = dloss · (softmax(logits) − t) / N."""
    (dlogits,) = recall(cache, cross_entropy_forward)
    return dlogits.dtype.type(as_scalar("dloss", dloss)) * dlogits


@compiled
def _rows(worker, words, helpers, *arguments):
    """losses and (softmax − t) / N; Σ_c t_c = 1, so a row's loss is log Σ exp − Σ_c t_c logit_c."""
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, logits, labels, smooth, losses, dlogits = arguments
    rows, classes = logits.shape
    count, size = lanes(logits), logits.itemsize
    for piece in taken(progress, pieces):
        for i in range(piece * HEIGHT, min(piece * HEIGHT + HEIGHT, rows)):
            row, drow = address(logits, (i, 0)), address(dlogits, (i, 0))
            maximum = logits[i, 0]
            for c in range(1, classes):
                maximum = max(maximum, logits[i, c])
            powers, sum_centred = splat(logits, 0.0), 0.0
            for j in range(0, classes, count):
                power = exp(load_first(logits, row + j * size, classes - j) - maximum)
                powers = powers + only_first(power, classes - j)
            for c in range(classes):
                sum_centred += logits[i, c] - maximum
            sum_powers = total(powers)
            for j in range(0, classes, count):
                power = exp(load_first(logits, row + j * size, classes - j) - maximum)
                gradient = (power * (1 / sum_powers) - smooth / classes) * (1 / rows)
                store_first(drow + j * size, gradient, classes - j)
            dlogits[i, labels[i]] -= (1 - smooth) / rows
            own = logits[i, labels[i]] - maximum
            losses[i] = math.log(sum_powers) - (1 - smooth) * own - smooth / classes * sum_centred
