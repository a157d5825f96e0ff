"""Hold the twins together on one case: run both, pair tensors by name, apply the budget."""

import torch_impl

from . import budget
from .run import inputs_of, run_numpy, run_torch, state_of


def compare(case, dtype, device="cpu", implementation="eager"):
    """A list of budget.Row, one for each tensor; raises AssertionError when the names differ."""
    inputs, state = inputs_of(case, dtype), state_of(case, dtype)
    truth = run_numpy(case, inputs, state, "float64", "numpy")
    with torch_impl.use_ops(implementation):
        theirs = run_torch(case, inputs, state, dtype, device)
    if dtype in ("float64", "float32"):
        ours = run_numpy(case, inputs, state, dtype)
    else:  # NumPy has no bfloat16: the side to beat is the truth, rounded once
        ours = {n: budget.rounded(a, dtype) if a.dtype.kind == "f" else a for n, a in truth.items()}
    for side, results in (("the PyTorch twin", theirs), ("the NumPy twin", ours)):
        differing = truth.keys() ^ results.keys()
        assert not differing, f"{case.id}: {side} differs in the tensors {sorted(differing)}"
    moved = {"out"} if _is_gather(case, state) else set()
    return [
        budget.exact(name, truth[name], ours[name], theirs[name])
        if name in moved or truth[name].dtype.kind in "iu"
        else _row(case, name, dtype, truth[name], ours[name], theirs[name])
        for name in truth
    ]


def _is_gather(case, state):
    """The output is only moved, never computed: the gather of a table that was given."""
    return (case.kind, case.name) == ("op", "bias") or (
        case.kind == "scheme"
        and list(state) == ["relative_position_bias_table"]
        and case.options.get("method") != "cross"  # iRPE's, which adds two rows up
    )


def _row(case, name, dtype, truth, ours, theirs):
    if dtype == "float64":
        rows = [budget.float64(name, truth, side) for side in (ours, theirs)]
        return max(rows, key=lambda row: (row.budget_share != row.budget_share, row.budget_share))
    return budget.two_sided(name, truth, (ours, theirs), dtype, case.slack.get(dtype, 1.0))
