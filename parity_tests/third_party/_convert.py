"""Differentiable maps from an original's weights to ours, for several originals."""

import math

import numpy as np
import torch

from .. import budget
from ..rounded import on_grid
from ..yardstick import yardsticks

TABLE = "rel_pos.relative_position_bias_table"


def projections(p, names, proj, scale_q=1.0, scale_k=1.0):
    """Return our qkv and proj from separate Linears; if only some have a bias, the others' is zero.

    p: {name: tensor}, the original's parameters. names: the Linears of q, k and v.
    proj: the output Linear, None if the original has none.
    scale_q, scale_k: factors that make up for a scale other than our 1/√d.
    """
    factors = (scale_q, scale_k, 1.0)
    state = {"qkv.weight": _cat(p, names, "weight", factors)}
    if any(f"{name}.bias" in p for name in names):
        state["qkv.bias"] = _cat(p, names, "bias", factors)
    return state | (output(p, proj) if proj else no_output(state["qkv.weight"].shape[1]))


def fused(p, qkv="qkv", proj="proj"):
    """Return our qkv and proj from a fused Linear with q, k and v in our order, and an output Linear."""
    bias = {"qkv.bias": p[f"{qkv}.bias"]} if f"{qkv}.bias" in p else {}
    return {"qkv.weight": p[f"{qkv}.weight"], **bias, **output(p, proj)}


def output(p, proj):
    """Return our proj from a Linear, which may lack the bias."""
    return {"proj.weight": p[f"{proj}.weight"], "proj.bias": _part(p, proj, "bias")}


def no_output(width):
    """Return the identity for our proj."""
    weight = torch.eye(width, dtype=torch.float64)
    return {"proj.weight": weight, "proj.bias": weight.new_zeros(width)}


def heads_first(rows, num_heads, parts):
    """Reorder the rows (head, part, d) of a fused projection to ours, (part, head, d)."""
    return rows.unflatten(0, (num_heads, parts, -1)).transpose(0, 1).flatten(0, 2)


def folded(p, name, norm, num_heads=1, parts=1):
    """Return weight and bias of name.linear with the batch norm after it, which has mean 0, variance 1.

    parts: how many of q, k and v are side by side within a head.
    """
    gain = p[f"{name}.{norm}.weight"] / math.sqrt(1 + 1e-5)
    rows = p[f"{name}.linear.weight"] * gain[:, None], p[f"{name}.{norm}.bias"]
    return [heads_first(each, num_heads, parts) for each in rows]


def renamed(p, old, new):
    """Return the parameters whose names begin with `old`, which is replaced by `new`."""
    return {new + name.removeprefix(old): a for name, a in p.items() if name.startswith(old)}


def in_float64(theirs, formula, x):
    """Return formula(x) in float64, for a constant that the original computes in float32.

    theirs: the original's constant; raises AssertionError if it is not formula(x) in float32.
    """
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
