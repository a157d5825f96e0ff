"""AdamW's update of one array (arXiv 1711.05101, algorithm 2)."""

import math

import numpy as np

from ..checks import check_floating, check_shape


def adamw_update(
    data, grad, exp_avg, exp_avg_sq, step, lr, weight_decay=0.0, betas=(0.9, 0.999), eps=1e-8
):
    """m ← β₁m + (1−β₁)g,  v ← β₂v + (1−β₂)g²,
    θ ← θ(1 − lr·λ) − lr · m̂ / (√v̂ + ε),  m̂ = m/(1−β₁ᵗ),  v̂ = v/(1−β₂ᵗ), all in place.

    data θ, grad g, exp_avg m, exp_avg_sq v: contiguous, of one shape and dtype; step t counts from 1.
    Raises TypeError/ValueError naming what does not fit, changing nothing.
    """
    check_adamw(data, grad, exp_avg, exp_avg_sq)
    beta1, beta2 = betas
    exp_avg += (1 - beta1) * (grad - exp_avg)
    exp_avg_sq *= beta2
    exp_avg_sq += (1 - beta2) * grad * grad
    denominator = np.sqrt(exp_avg_sq) / math.sqrt(1 - beta2**step) + eps
    data *= 1 - lr * weight_decay
    data -= lr / (1 - beta1**step) * exp_avg / denominator


def check_adamw(data, grad, exp_avg, exp_avg_sq):
    """Floating, of one shape and contiguous; raises TypeError/ValueError."""
    arrays = {"data": data, "grad": grad, "exp_avg": exp_avg, "exp_avg_sq": exp_avg_sq}
    check_floating(**arrays)
    for name, array in arrays.items():
        check_shape(name, array, data.shape)
        if not array.flags.c_contiguous:
            raise ValueError(f"{name} is not contiguous")
