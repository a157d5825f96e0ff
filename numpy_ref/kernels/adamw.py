"""AdamW in one pass over its four arrays."""

import math

import numpy as np

from ..ops.adamw import checked_adamw, checked_rates
from . import _rows as loops
from . import _threads
from ._arrays import addresses, contiguous


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
    _threads.run(
        loops.adamw,
        -(-data.size // loops.PIECE),
        np.empty(0, data.dtype),
        *addresses(data, grad, exp_avg, exp_avg_sq),
        data.size,
        rates,
    )
