"""AdamW in one pass over its four arrays."""

import math

import numpy as np

from ..ops.adamw import checked_adamw, checked_rates
from .machine import threads
from .machine.arrays import addresses, contiguous
from .machine.jit import compiled
from .machine.simd import fma, lanes, load_first, root, store_first
from .machine.threads import PIECE, share, taken


def adamw_update(
    data, grad, exp_avg, exp_avg_sq, step, lr, weight_decay=0.0, betas=(0.9, 0.999), eps=1e-8
):
    """θ, m and v in place; see `numpy_ref.ops.adamw_update`."""
    data, grad, exp_avg, exp_avg_sq = checked_adamw(data, grad, exp_avg, exp_avg_sq)
    step, lr, weight_decay, (beta1, beta2), eps = checked_rates(step, lr, weight_decay, betas, eps)
    (grad,) = contiguous(grad)
    rates = (
        1 - beta1,
        beta2,
        1 / math.sqrt(1 - beta2**step),
        eps,
        1 - lr * weight_decay,
        lr / (1 - beta1**step),
    )
    threads.run(
        _update,
        -(-data.size // PIECE),
        np.empty(0, data.dtype),
        *addresses(data, grad, exp_avg, exp_avg_sq),
        data.size,
        rates,
    )


@compiled
def _update(worker, words, helpers, *arguments):
    """m += (1 − β₁)(g − m),  v = β₂ v + (1 − β₂) g²,  θ = (1 − lr λ) θ − lr m̂ / (√v̂ + ε)."""
    if share(worker, words, helpers, arguments):
        return
    progress, pieces, like, data, grad, m, v, elements, rates = arguments
    one_minus_beta1, beta2, correction2, eps, decay, step = rates
    size = like.itemsize
    for piece in taken(progress, pieces):
        end = min(piece * PIECE + PIECE, elements)
        for j in range(piece * PIECE, end, lanes(like)):
            offset, left = j * size, end - j
            g, first = load_first(like, grad + offset, left), load_first(like, m + offset, left)
            first = fma(g - first, one_minus_beta1, first)
            second = fma(g * g, 1 - beta2, load_first(like, v + offset, left) * beta2)
            change = first / (root(second) * correction2 + eps)
            store_first(m + offset, first, left)
            store_first(v + offset, second, left)
            decayed = load_first(like, data + offset, left) * decay
            store_first(data + offset, decayed - change * step, left)
