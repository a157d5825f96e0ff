"""Where others' weights meet ours: differentiable maps that several originals share."""

import math

import numpy as np
import torch

from .. import budget
from ..rounded import on_grid
from ..yardstick import yardsticks

TABLE = "rel_pos.relative_position_bias_table"


def projections(p, names, proj, scale_q=1.0, scale_k=1.0):
    """Our qkv and proj from separate Linears; zero where the original has no bias, others have one.

    p: {name: tensor}; names: those of q, k and v; proj: None where it ends with the heads side by side;
    scale_q, scale_k: undo our 1/√d where theirs differs.
    """
    factors = (scale_q, scale_k, 1.0)
    state = {"qkv.weight": _cat(p, names, "weight", factors)}
    if any(f"{name}.bias" in p for name in names):
        state["qkv.bias"] = _cat(p, names, "bias", factors)
    return state | (output(p, proj) if proj else no_output(state["qkv.weight"].shape[1]))


def fused(p, qkv="qkv", proj="proj"):
    """Our qkv and proj from Linears that have them all in our order."""
    bias = {"qkv.bias": p[f"{qkv}.bias"]} if f"{qkv}.bias" in p else {}
    return {"qkv.weight": p[f"{qkv}.weight"], **bias, **output(p, proj)}


def output(p, proj):
    """Our proj from a Linear, which may lack the bias."""
    return {"proj.weight": p[f"{proj}.weight"], "proj.bias": _part(p, proj, "bias")}


def no_output(width):
    """The identity for our proj."""
    weight = torch.eye(width, dtype=torch.float64)
    return {"proj.weight": weight, "proj.bias": weight.new_zeros(width)}


def heads_first(rows, num_heads, parts):
    """Rows (head, part, d) of a fused projection -> (part, head, d), as ours are."""
    return rows.unflatten(0, (num_heads, parts, -1)).transpose(0, 1).flatten(0, 2)


def folded(p, name, norm, num_heads=1, parts=1):
    """weight and bias of name.linear and the batch norm after it, whose statistics are still 0 and 1;
    parts: how many of q, k and v a head has side by side."""
    gain = p[f"{name}.{norm}.weight"] / math.sqrt(1 + 1e-5)
    rows = p[f"{name}.linear.weight"] * gain[:, None], p[f"{name}.{norm}.bias"]
    return [heads_first(each, num_heads, parts) for each in rows]


def renamed(p, old, new):
    """The parameters under `old`, as ours under `new`."""
    return {new + name.removeprefix(old): a for name, a in p.items() if name.startswith(old)}


def in_float64(theirs, formula, x):
    """formula(x), a constant that the original computes in float32, in float64, and held to be it."""
    x = np.asarray(x, np.float64)
    truth = {"out": formula(x)}
    costs = yardsticks(truth, lambda rounding: {"out": formula(on_grid(x, rounding))}, "float32")
    row = budget.within_rounding("out", costs["out"], theirs)
    assert row.ok, f"another constant: {row}"
    return torch.tensor(truth["out"])


def _cat(p, names, part, factors):
    return torch.cat([_part(p, name, part) * f for name, f in zip(names, factors, strict=True)])


def _part(p, name, part):
    weight = p[f"{name}.weight"]
    return weight if part == "weight" else p.get(f"{name}.bias", weight.new_zeros(len(weight)))
