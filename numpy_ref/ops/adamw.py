"""AdamW's update of one array (arXiv 1711.05101, algorithm 2)."""

import math
from collections.abc import Sequence

import numpy as np

from ..checks import as_number, check_positive_int, check_probability, check_shape
from ..gate import check_written, floating
from ..types import Array


def adamw_update(
    data: Array,
    grad: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    step: int,
    lr: float,
    weight_decay: float = 0.0,
    betas: Sequence[float] = (0.9, 0.999),
    eps: float = 1e-8,
) -> None:
    """Update one array in place by one step of AdamW:
    m ← β₁m + (1−β₁)g,  v ← β₂v + (1−β₂)g²,
    θ ← θ(1 − lr·λ) − lr · m̂ / (√v̂ + ε),  m̂ = m/(1−β₁ᵗ),  v̂ = v/(1−β₂ᵗ).

    data, grad, exp_avg, exp_avg_sq: θ, g, m and v, of one shape and dtype. θ, m and v are written; each
        has to be contiguous, aligned, writeable and in memory of its own.
    step: t, which counts from 1.
    lr, weight_decay, eps: lr, λ and ε, at least 0.
    betas: the pair (β₁, β₂), both in [0, 1).
    Raises TypeError/ValueError naming what does not fit, before anything is written.
    """
    data, grad, exp_avg, exp_avg_sq = checked_adamw(data, grad, exp_avg, exp_avg_sq)
    step, lr, weight_decay, (beta1, beta2), eps = checked_rates(step, lr, weight_decay, betas, eps)
    exp_avg += (1 - beta1) * (grad - exp_avg)
    exp_avg_sq *= beta2
    exp_avg_sq += (1 - beta2) * grad * grad
    denominator = np.sqrt(exp_avg_sq) / math.sqrt(1 - beta2**step) + eps
    data *= 1 - lr * weight_decay
    data -= lr / (1 - beta1**step) * exp_avg / denominator


def checked_adamw(
    data: Array, grad: Array, exp_avg: Array, exp_avg_sq: Array
) -> tuple[Array, Array, Array, Array]:
    """Return plain arrays of one shape, writeable where written; raises TypeError/ValueError."""
    data, grad, exp_avg, exp_avg_sq = floating(
        data=data, grad=grad, exp_avg=exp_avg, exp_avg_sq=exp_avg_sq
    )
    check_shape("grad", grad, data.shape)
    check_shape("exp_avg", exp_avg, data.shape)
    check_shape("exp_avg_sq", exp_avg_sq, data.shape)
    written = {"data": data, "exp_avg": exp_avg, "exp_avg_sq": exp_avg_sq}
    check_written(written, {"grad": grad})
    return data, grad, exp_avg, exp_avg_sq


def checked_rates(
    step: int, lr: float, weight_decay: float, betas: Sequence[float], eps: float
) -> tuple[int, float, float, tuple[float, float], float]:
    """Return the numbers as Python's int and floats; raises TypeError/ValueError."""
    if not isinstance(betas, tuple | list) or len(betas) != 2:
        raise TypeError(f"betas is {betas!r}, expected a pair of numbers")
    beta1, beta2 = (check_probability(betas=beta) for beta in betas)
    rates = as_number("lr", lr, "[0, inf)"), as_number("weight_decay", weight_decay, "[0, inf)")
    return check_positive_int(step=step), *rates, (beta1, beta2), as_number("eps", eps, "[0, inf)")
