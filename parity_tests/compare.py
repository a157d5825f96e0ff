"""Hold the twins together on one case: run both, pair tensors by name, apply the budget."""

from . import budget
from .run import inputs_of, run_numpy, run_torch, state_of

# What is only moved, never computed: the gather's output.
MOVED = {"op-bias": ("out",), "scheme-1d": ("out",), "scheme-2d": ("out",), "scheme-t5": ("out",)}


def compare(case, dtype, device="cpu"):
    """A list of budget.Row, one for each tensor; raises AssertionError when the names differ."""
    inputs, state = inputs_of(case, dtype), state_of(case, dtype)
    truth = run_numpy(case, inputs, state, "float64", "numpy")
    theirs = run_torch(case, inputs, state, dtype, device)
    if dtype in ("float64", "float32"):
        ours = run_numpy(case, inputs, state, dtype)
    else:  # NumPy has no bfloat16: the side to beat is the truth, rounded once
        ours = {n: budget.rounded(a, dtype) if a.dtype.kind == "f" else a for n, a in truth.items()}
    for side, results in (("the PyTorch twin", theirs), ("the NumPy twin", ours)):
        differing = truth.keys() ^ results.keys()
        assert not differing, f"{case.id}: {side} differs in the tensors {sorted(differing)}"
    return [_row(case, name, dtype, truth[name], ours[name], theirs[name]) for name in truth]


def _row(case, name, dtype, truth, ours, theirs):
    if truth.dtype.kind in "iu":
        return budget.exact(name, truth, ours, theirs)
    if name in MOVED.get(f"{case.kind}-{case.name}", ()):
        return budget.exact(name, truth, ours, theirs)
    if dtype == "float64":
        rows = [budget.float64(name, truth, side) for side in (ours, theirs)]
        return max(rows, key=lambda row: (row.budget_share != row.budget_share, row.budget_share))
    return budget.two_sided(name, truth, (ours, theirs), dtype, case.slack.get(dtype, 1.0))
