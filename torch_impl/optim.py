"""AdamW (arXiv 1711.05101), its parameter groups, learning-rate schedule and gradient clipping."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NotRequired, TypedDict

import numpy as np
import torch

from .checks import as_array, as_int, as_number, check_arrays, check_state
from .nn import Parameter
from .position import SCHEMES
from .sharding import like, whole

TABLES = {name for scheme in SCHEMES.values() for name in scheme.table_names}
NO_DECAY = ("cls_token", "pos_embed", "logit_scale", "rel_pos", "shared_rel_pos")


class ParameterGroup(TypedDict):
    """Parameters and their names, with a weight decay and a factor of the common learning rate.

    lr: the group's own rate, which `torch.optim.AdamW` reads; there is none unless asked for.
    """

    params: list[Parameter]
    param_names: list[str]
    weight_decay: float
    lr_factor: float
    lr: NotRequired[float]


def parameter_groups(
    named_parameters: Iterable[tuple[str, Parameter]],
    weight_decay: float,
    table_lr_factor: float,
    lr: float | None = None,
) -> list[ParameterGroup]:
    """Split the parameters into decayed weights, undecayed ones and bias tables.

    Norms, biases, embeddings and whatever makes a position bias do not decay. Tables (a scheme's
    `table_names`) learn at `table_lr_factor` times the common rate: AdamW moves each entry by about its
    learning rate per step, and a table has to grow from 0.02 to the scores' size before it matters.

    named_parameters: pairs (name, parameter). A position bias is a module called rel_pos or
        shared_rel_pos; a table is known by its own name.
    weight_decay: of the decayed weights, at least 0.
    table_lr_factor: at least 0.
    lr: the common rate, at least 0. If it is given, each group has "lr", its own rate, as
        `torch.optim.AdamW` and the schedulers expect it.
    Returns a list of three groups. Raises TypeError/ValueError naming the argument that does not fit.
    """
    weight_decay = as_number("weight_decay", weight_decay, "[0, inf)")
    table_lr_factor = as_number("table_lr_factor", table_lr_factor, "[0, inf)")
    rates = (weight_decay, 1.0), (0.0, 1.0), (0.0, table_lr_factor)
    groups: list[ParameterGroup] = [
        {"params": [], "param_names": [], "weight_decay": decay, "lr_factor": factor}
        for decay, factor in rates
    ]
    for name, p in named_parameters:
        path = name.split(".")
        undecayed = p.ndim <= 1 or not set(path).isdisjoint(NO_DECAY)
        group = groups[2 if path[-1] in TABLES else int(undecayed)]
        group["params"].append(p)
        group["param_names"].append(name)
    if lr is not None:
        lr = as_number("lr", lr, "[0, inf)")
        for group in groups:
            group["lr"] = lr * group["lr_factor"]
    return groups


def learning_rate(
    step: int, total_steps: int, lr: float, warmup_steps: int = 0, min_lr: float = 0.0
) -> float:
    """Return the learning rate: linear warm-up, then half a cosine down to min_lr (arXiv 1608.03983).

    step: counts from 0; the last of total_steps has nearly min_lr.
    total_steps: length of the schedule.
    lr: the rate after the warm-up.
    warmup_steps: steps until lr is reached.
    min_lr: the rate at the end.
    Raises TypeError/ValueError naming the argument that does not fit.
    """
    step = as_int("step", step, 0)
    total_steps, lr, warmup_steps, min_lr = as_schedule(total_steps, lr, warmup_steps, min_lr)
    if step < warmup_steps:
        return lr * (step + 1) / warmup_steps
    progress = min((step - warmup_steps) / max(total_steps - warmup_steps, 1), 1.0)
    return min_lr + 0.5 * (lr - min_lr) * (1 + math.cos(math.pi * progress))


def as_schedule(
    total_steps: int, lr: float, warmup_steps: int, min_lr: float
) -> tuple[int, float, int, float]:
    """Return the schedule's arguments as Python's numbers; raises TypeError/ValueError naming one."""
    total_steps = as_int("total_steps", total_steps, 1)
    warmup_steps = as_int("warmup_steps", warmup_steps, 0)
    lr, min_lr = as_number("lr", lr, "(0, inf)"), as_number("min_lr", min_lr, "[0, inf)")
    if min_lr > lr:
        raise ValueError(f"min_lr is {min_lr}, expected at most lr, which is {lr}")
    return total_steps, lr, warmup_steps, min_lr


def as_betas(betas: Sequence[float]) -> tuple[float, float]:
    """Return the two decay rates as Python's floats in [0, 1); raises TypeError/ValueError."""
    if not isinstance(betas, Sequence) or len(betas) != 2:
        raise TypeError(f"betas is {betas!r}, expected two numbers in [0, 1)")
    beta1, beta2 = (as_number("betas", beta, "[0, 1)") for beta in betas)
    return beta1, beta2


def as_max_norm(name: str, value: float | None) -> float | None:
    """Return a positive Python float, or None for no clipping; raises TypeError/ValueError."""
    return None if value is None else as_number(name, value, "(0, inf)")


def as_groups(groups: Sequence[ParameterGroup]) -> list[ParameterGroup]:
    """Return the groups, their rates as Python's floats.

    Raises TypeError/ValueError for no group, a name or a parameter given twice, or a negative rate.
    """
    if not isinstance(groups, Sequence) or not all(isinstance(g, Mapping) for g in groups):
        raise TypeError(f"groups is a {type(groups).__name__}, expected a sequence of dicts")
    if not groups:
        raise ValueError("groups is empty, expected at least one")
    for group in groups:
        if missing := {"params", "param_names", "weight_decay", "lr_factor"} - group.keys():
            raise ValueError(f"groups has one without {', '.join(sorted(missing))}")
        params, names = group["params"], group["param_names"]
        if not isinstance(params, Sequence):
            raise TypeError(f"params is a {type(params).__name__}, expected a list of parameters")
        if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
            raise TypeError(f"param_names is {names!r}, expected a list of names")
        if len(names) != len(params):
            raise ValueError(f"param_names has {len(names)} names for {len(params)} parameters")
    check_parameters([p for group in groups for p in group["params"]])
    names = [name for group in groups for name in group["param_names"]]
    if len(set(names)) < len(names):
        raise ValueError("groups has a name twice")
    return [
        {
            "params": list(group["params"]),
            "param_names": list(group["param_names"]),
            "weight_decay": as_number("weight_decay", group["weight_decay"], "[0, inf)"),
            "lr_factor": as_number("lr_factor", group["lr_factor"], "[0, inf)"),
        }
        for group in groups
    ]


def check_parameters(parameters: Collection[Parameter]) -> None:
    """Check for Parameters, none of them given twice; raises TypeError/ValueError."""
    for p in parameters:
        if not isinstance(p, torch.Tensor):
            raise TypeError(f"parameters has a {type(p).__name__}, expected a Parameter")
    if len({id(p) for p in parameters}) < len(parameters):
        raise ValueError("parameters has one twice")


def clip_grad_norm(parameters: Iterable[Parameter], max_norm: float | None) -> float:
    """Scale all gradients by min(1, max_norm / (‖g‖ + 1e-6)); return ‖g‖ as it was before.

    max_norm: positive, or None for no clipping.
    Raises TypeError/ValueError for another max_norm, or for what is no Parameter.
    """
    parameters, max_norm = list(parameters), as_max_norm("max_norm", max_norm)
    check_parameters(parameters)
    limit = math.inf if max_norm is None else max_norm
    return float(whole(torch.nn.utils.clip_grad_norm_(parameters, limit)))


class AdamW:
    """Wrap torch.optim.AdamW over named groups, so that its state can be saved by parameter name.

    groups: as `parameter_groups` returns them.
    betas: (β₁, β₂), both in [0, 1).
    eps: ε, positive.
    Raises TypeError/ValueError naming what does not fit.
    """

    def __init__(
        self, groups: Sequence[ParameterGroup], betas: Sequence[float] = (0.9, 0.999), eps: float = 1e-8
    ):
        groups, betas = as_groups(groups), as_betas(betas)
        eps = as_number("eps", eps, "(0, inf)")
        self.groups, self.betas, self.eps = groups, betas, eps
        self.steps = 0
        self.optimizer = torch.optim.AdamW([dict(g) for g in groups], lr=0.0, betas=betas, eps=eps)

    def step(self, lr: float) -> None:
        """Update every parameter from its `grad`; lr: the common learning rate, at least 0."""
        lr = as_number("lr", lr, "[0, inf)")
        for ours, theirs in zip(self.groups, self.optimizer.param_groups, strict=True):
            theirs["lr"] = lr * ours["lr_factor"]
        self.steps += 1
        self.optimizer.step()

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return {"exp_avg.<name>", "exp_avg_sq.<name>": array}, copies; the step count is `steps`."""
        return {
            f"{kind}.{name}": as_array(self.optimizer.state[p].get(kind, torch.zeros_like(p)))
            for kind in ("exp_avg", "exp_avg_sq")
            for name, p in self._named()
        }

    def load_state_dict(self, state: Mapping[str, np.ndarray], steps: int) -> None:
        """Copy the moments in and set the step count.

        Raises TypeError/ValueError, changing nothing, if they do not fit.
        """
        steps = as_int("steps", steps, 0)
        check_arrays(state)
        kinds = ("exp_avg", "exp_avg_sq")
        check_state({f"{kind}.{name}": p.shape for kind in kinds for name, p in self._named()}, state)
        for name, p in self._named():
            moments = {
                kind: like(torch.tensor(state[f"{kind}.{name}"]), p)
                for kind in ("exp_avg", "exp_avg_sq")
            }
            self.optimizer.state[p] = {"step": torch.tensor(float(steps)), **moments}
        self.steps = steps

    def _named(self) -> list[tuple[str, Parameter]]:
        return [pair for g in self.groups for pair in zip(g["param_names"], g["params"], strict=True)]
