"""AdamW (arXiv 1711.05101), its parameter groups, learning-rate schedule and gradient clipping."""

import math

import torch

from .checks import as_array, check_state
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
    groups = [
        {"params": {}, "weight_decay": weight_decay, "lr_factor": 1.0},
        {"params": {}, "weight_decay": 0.0, "lr_factor": 1.0},
        {"params": {}, "weight_decay": 0.0, "lr_factor": table_lr_factor},
    ]
    for name, p in named_parameters:
        path = name.split(".")
        undecayed = p.ndim <= 1 or not set(path).isdisjoint(NO_DECAY)
        groups[2 if path[-1] in TABLES else int(undecayed)]["params"][name] = p
    return groups


def learning_rate(step, total_steps, lr, warmup_steps=0, min_lr=0.0):
    """Linear warm-up to lr over `warmup_steps`, then half a cosine down to min_lr (1608.03983).

    step counts from 0; the last step of total_steps is nearly min_lr.
    """
    if step < warmup_steps:
        return lr * (step + 1) / warmup_steps
    progress = min((step - warmup_steps) / max(total_steps - warmup_steps, 1), 1.0)
    return min_lr + 0.5 * (lr - min_lr) * (1 + math.cos(math.pi * progress))


def clip_grad_norm(parameters, max_norm):
    """Scale all gradients by min(1, max_norm / (‖g‖ + 1e-6)); returns ‖g‖ before. None: no clipping."""
    limit = math.inf if max_norm is None else max_norm
    return float(torch.nn.utils.clip_grad_norm_(list(parameters), limit))


class AdamW:
    """torch.optim.AdamW over named groups, so that its state can be told by parameter name."""

    def __init__(self, groups, betas=(0.9, 0.999), eps=1e-8):
        self.groups, self.betas, self.eps = groups, betas, eps
        self.steps = 0
        listed = [
            {"params": list(g["params"].values()), "weight_decay": g["weight_decay"]} for g in groups
        ]
        self.optimizer = torch.optim.AdamW(listed, lr=0.0, betas=betas, eps=eps)

    def step(self, lr):
        """One update of every parameter from its `grad`, at the common learning rate `lr`."""
        for ours, theirs in zip(self.groups, self.optimizer.param_groups, strict=True):
            theirs["lr"] = lr * ours["lr_factor"]
        self.steps += 1
        self.optimizer.step()

    def state_dict(self):
        """{"exp_avg.<name>", "exp_avg_sq.<name>": array}, copies; the step count is `steps`."""
        return {
            f"{kind}.{name}": as_array(self.optimizer.state[p].get(kind, torch.zeros_like(p)))
            for kind in ("exp_avg", "exp_avg_sq")
            for name, p in self._named()
        }

    def load_state_dict(self, state, steps):
        """Copy the moments in; raises ValueError, changing nothing, when it does not fit."""
        kinds = ("exp_avg", "exp_avg_sq")
        check_state({f"{kind}.{name}": p.shape for kind in kinds for name, p in self._named()}, state)
        for name, p in self._named():
            moments = {
                kind: torch.tensor(state[f"{kind}.{name}"]).to(p) for kind in ("exp_avg", "exp_avg_sq")
            }
            self.optimizer.state[p] = {"step": torch.tensor(float(steps)), **moments}
        self.steps = steps

    def _named(self):
        return [item for group in self.groups for item in group["params"].items()]
