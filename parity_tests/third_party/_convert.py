"""Where others' weights meet ours: differentiable maps that several originals share."""

import torch

TABLE = "rel_pos.relative_position_bias_table"


def projections(p, names, proj, scale_q=1.0, scale_k=1.0):
    """Our qkv and proj from separate Linears; zero where the original has no bias, others have one.

    p: {name: tensor}; names: q, k and v's; scale_q, scale_k: undo our 1/√d where theirs differs.
    """
    factors = (scale_q, scale_k, 1.0)
    state = {"qkv.weight": _cat(p, names, "weight", factors), **output(p, proj)}
    if any(f"{name}.bias" in p for name in names):
        state["qkv.bias"] = _cat(p, names, "bias", factors)
    return state


def output(p, proj):
    """Our proj from a Linear, which may lack the bias."""
    return {"proj.weight": p[f"{proj}.weight"], "proj.bias": _part(p, proj, "bias")}


def no_output(width):
    """The identity for our proj, for originals that end with the heads side by side."""
    eye = torch.eye(width, dtype=torch.float64)
    return {"proj.weight": eye, "proj.bias": torch.zeros(width, dtype=torch.float64)}


def heads_first(fused, num_heads, parts=3):
    """Rows (head, q k v, d) of a fused projection -> (q k v, head, d), as ours are."""
    split = fused.unflatten(0, (num_heads, parts, -1))
    return split.transpose(0, 1).flatten(0, 2)


def renamed(p, **names):
    """{ours: p[theirs]}; a dot in our name is written as two underscores."""
    return {ours.replace("__", "."): p[theirs] for ours, theirs in names.items()}


def _cat(p, names, part, factors):
    return torch.cat([_part(p, name, part) * f for name, f in zip(names, factors, strict=True)])


def _part(p, name, part):
    weight = p[f"{name}.weight"]
    return weight if part == "weight" else p.get(f"{name}.bias", weight.new_zeros(len(weight)))
