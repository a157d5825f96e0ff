"""AdamW (arXiv 1711.05101), its parameter groups, learning-rate schedule and gradient clipping."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NotRequired, TypedDict

import numpy as np

from .checks import as_int, as_number, check_arrays, check_shape, check_state
from .dispatch import F
from .nn import Parameter
from .position import SCHEMES
from .types import Array

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
    decay, plain, tables = {}, {}, {}
    for name, p in named_parameters:
        parts = name.split(".")
        if parts[-1] in TABLES:
            tables[name] = p
        elif len(p.shape) < 2 or any(part in NO_DECAY for part in parts):
            plain[name] = p
        else:
            decay[name] = p
    groups = [
        _group(decay, weight_decay, 1.0),
        _group(plain, 0.0, 1.0),
        _group(tables, 0.0, table_lr_factor),
    ]
    if lr is None:
        return groups
    lr = as_number("lr", lr, "[0, inf)")
    return [{**group, "lr": lr * group["lr_factor"]} for group in groups]


def _group(named: dict[str, Parameter], weight_decay: float, lr_factor: float) -> ParameterGroup:
    params, names = list(named.values()), list(named)
    return {"params": params, "param_names": names, "weight_decay": weight_decay, "lr_factor": lr_factor}


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
    progress = (step - warmup_steps) / max(total_steps - warmup_steps, 1)
    return min_lr + (lr - min_lr) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


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
        if not isinstance(p, Parameter):
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
    total = math.sqrt(sum(F.squared_norm(p.grad) for p in parameters))
    if max_norm is not None and total + 1e-6 > max_norm:
        for p in parameters:
            p.grad *= max_norm / (total + 1e-6)
    return total


class AdamW:
    """Optimise: m ← β₁m + (1−β₁)g,  v ← β₂v + (1−β₂)g²,
    θ ← θ(1 − lr·λ) − lr · m̂ / (√v̂ + ε),  m̂ = m/(1−β₁ᵗ),  v̂ = v/(1−β₂ᵗ).

    All parameters of a group lie in one flat array, and so do their gradients: `data` and `grad` of each
    parameter become views of it, and a step is one pass over each group.

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
        named = [dict(zip(g["param_names"], g["params"], strict=True)) for g in groups]
        self._flat = [_Flat(parameters) for parameters in named]
        self.exp_avg = {name: m for flat in self._flat for name, m in flat.views(flat.exp_avg)}
        self.exp_avg_sq = {name: v for flat in self._flat for name, v in flat.views(flat.exp_avg_sq)}

    def flat_parameters(self) -> list[Parameter]:
        """Return each group as one Parameter, of which the model's parameters are parts."""
        return [flat.gathered() for flat in self._flat]

    def zero_grad(self) -> None:
        """Set all gradients to zero."""
        for parameter in self.flat_parameters():
            parameter.grad[...] = 0

    def step(self, lr: float) -> None:
        """Update every parameter from its `grad`; lr: the common learning rate, at least 0."""
        lr = as_number("lr", lr, "[0, inf)")
        self.steps += 1
        for group, flat in zip(self.groups, self._flat, strict=True):
            parameter, rate = flat.gathered(), lr * group["lr_factor"]
            arrays = (parameter.data, parameter.grad, flat.exp_avg, flat.exp_avg_sq)
            F.adamw_update(*arrays, self.steps, rate, group["weight_decay"], self.betas, self.eps)

    def state_dict(self) -> dict[str, Array]:
        """Return {"exp_avg.<name>", "exp_avg_sq.<name>": array}, copies; the step count is `steps`."""
        return {
            f"{kind}.{name}": array.copy()
            for kind in ("exp_avg", "exp_avg_sq")
            for name, array in getattr(self, kind).items()
        }

    def load_state_dict(self, state: Mapping[str, Array], steps: int) -> None:
        """Copy the moments in and set the step count.

        Raises TypeError/ValueError, changing nothing, if they do not fit.
        """
        steps = as_int("steps", steps, 0)
        check_arrays(state)
        moments = {
            f"{kind}.{name}": array
            for kind in ("exp_avg", "exp_avg_sq")
            for name, array in getattr(self, kind).items()
        }
        check_state({key: array.shape for key, array in moments.items()}, state)
        for key, array in moments.items():
            array[...] = state[key]
        self.steps = steps


class _Flat:
    """The parameters of a group one after the other in one array, with their gradients and moments."""

    def __init__(self, named: dict[str, Parameter]):
        self.named = named
        size = sum(p.data.size for p in named.values())
        dtype = next((p.data.dtype for p in named.values()), np.dtype(np.float32))
        self.parameter = Parameter(np.empty(size, dtype))
        self.exp_avg, self.exp_avg_sq = np.zeros(size, dtype), np.zeros(size, dtype)
        self._data, self._grad = (
            dict(self.views(x)) for x in (self.parameter.data, self.parameter.grad)
        )

    def views(self, array: Array) -> Iterator[tuple[str, Array]]:
        """Yield the pairs (name, part of the flat array in the parameter's shape)."""
        start = 0
        for name, p in self.named.items():
            yield name, array[start : start + p.data.size].reshape(p.shape)
            start += p.data.size

    def gathered(self) -> Parameter:
        """Return the flat parameter; copy in a `data` or `grad` that was replaced, and make it a view
        again.
        """
        strangers = [
            (p, kind, view, np.array(getattr(p, kind)))
            for kind, views in (("data", self._data), ("grad", self._grad))
            for view, p in zip(views.values(), self.named.values(), strict=True)
            if getattr(p, kind) is not view
        ]
        for _, kind, view, array in strangers:
            check_shape(f"a parameter's {kind}", array, view.shape)
        for p, kind, view, array in strangers:
            view[...] = array
            setattr(p, kind, view)
        return self.parameter
