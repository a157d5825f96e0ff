"""AdamW (arXiv 1711.05101), its parameter groups, learning-rate schedule and gradient clipping."""

import math

import numpy as np

from .checks import check_state
from .position import SCHEMES

TABLES = {name for scheme in SCHEMES.values() for name in scheme.table_names}
NO_DECAY = ("cls_token", "pos_embed", "logit_scale", "rel_pos", "shared_rel_pos")


def parameter_groups(named_parameters, weight_decay, table_lr_factor):
    """Split (name, parameter) pairs into decayed weights, undecayed ones and bias tables.

    No decay on norms, biases, embeddings and whatever makes a position bias. Tables (a scheme's
    `table_names`) learn at `table_lr_factor` times the common rate: AdamW moves every entry by about its
    learning rate a step, and a table has to come from 0.02 to the size of the scores before it matters.
    Returns a list of {"params": {name: parameter}, "weight_decay", "lr_factor"}.
    """
    decay, plain, tables = {}, {}, {}
    for name, p in named_parameters:
        parts = name.split(".")
        if parts[-1] in TABLES:
            tables[name] = p
        elif len(p.shape) < 2 or any(part in NO_DECAY for part in parts):
            plain[name] = p
        else:
            decay[name] = p
    return [
        {"params": decay, "weight_decay": weight_decay, "lr_factor": 1.0},
        {"params": plain, "weight_decay": 0.0, "lr_factor": 1.0},
        {"params": tables, "weight_decay": 0.0, "lr_factor": table_lr_factor},
    ]


def learning_rate(step, total_steps, lr, warmup_steps=0, min_lr=0.0):
    """Linear warm-up to lr over `warmup_steps`, then half a cosine down to min_lr (1608.03983).

    step counts from 0; the last step of total_steps is nearly min_lr.
    """
    if step < warmup_steps:
        return lr * (step + 1) / warmup_steps
    progress = (step - warmup_steps) / max(total_steps - warmup_steps, 1)
    return min_lr + (lr - min_lr) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


def clip_grad_norm(parameters, max_norm):
    """Scale all gradients by min(1, max_norm / (‖g‖ + 1e-6)); returns ‖g‖ before. None: no clipping."""
    total = math.sqrt(sum(float(np.square(p.grad, dtype=np.float64).sum()) for p in parameters))
    if max_norm is not None:
        for p in parameters:
            p.grad *= min(1.0, max_norm / (total + 1e-6))
    return total


class AdamW:
    """m ← β₁m + (1−β₁)g,  v ← β₂v + (1−β₂)g²,
    θ ← θ(1 − lr·λ) − lr · m̂ / (√v̂ + ε),  m̂ = m/(1−β₁ᵗ),  v̂ = v/(1−β₂ᵗ).
    """

    def __init__(self, groups, betas=(0.9, 0.999), eps=1e-8):
        self.groups, self.betas, self.eps = groups, betas, eps
        self.steps = 0
        named = {name: p for group in groups for name, p in group["params"].items()}
        self.exp_avg = {name: np.zeros_like(p.data) for name, p in named.items()}
        self.exp_avg_sq = {name: np.zeros_like(p.data) for name, p in named.items()}

    def step(self, lr):
        """One update of every parameter from its `grad`, at the common learning rate `lr`."""
        self.steps += 1
        for group in self.groups:
            for name, p in group["params"].items():
                self._update(name, p, lr * group["lr_factor"], group["weight_decay"])

    def _update(self, name, p, lr, weight_decay):
        beta1, beta2 = self.betas
        m, v = self.exp_avg[name], self.exp_avg_sq[name]
        m += (1 - beta1) * (p.grad - m)
        v *= beta2
        v += (1 - beta2) * p.grad * p.grad
        denominator = np.sqrt(v) / math.sqrt(1 - beta2**self.steps) + self.eps
        p.data *= 1 - lr * weight_decay
        p.data -= lr / (1 - beta1**self.steps) * m / denominator

    def state_dict(self):
        """{"exp_avg.<name>", "exp_avg_sq.<name>": array}, copies; the step count is `steps`."""
        return {
            f"{kind}.{name}": array.copy()
            for kind in ("exp_avg", "exp_avg_sq")
            for name, array in getattr(self, kind).items()
        }

    def load_state_dict(self, state, steps):
        """Copy the moments in; raises ValueError, changing nothing, when it does not fit."""
        moments = {
            f"{kind}.{name}": array
            for kind in ("exp_avg", "exp_avg_sq")
            for name, array in getattr(self, kind).items()
        }
        check_state({key: array.shape for key, array in moments.items()}, state)
        for key, array in moments.items():
            array[...] = state[key]
        self.steps = steps
