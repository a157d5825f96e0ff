"""Compare any results of a case with the truth: a budget.Row per tensor. Works without PyTorch."""

from functools import cache

from . import budget
from .rounded import RandomRounding
from .run import given_of, run_numpy
from .yardstick import yardsticks

AHEAD = {}  # {(case, dtype): Future of the truth}, see `ahead`


def judge(case, dtype, results, side=""):
    """Return [budget.Row] for results {name: array}; raise AssertionError if the names differ.

    results: computed from the inputs of `run.given_of(case, dtype)`.
    side: what computed them, for messages.
    """
    truth, costs = truth_of(case, dtype)
    differing = truth.keys() ^ results.keys()
    assert not differing, f"{case.id}: {side} differs in the tensors {sorted(differing)}"
    moved = moved_in(case)
    return [
        budget.row(name, truth[name], results[name], costs.get(name), name in moved, side)
        for name in truth
    ]


@cache
def truth_of(case, dtype):
    """Return plain NumPy's results in float64, {name: array}, and their {name: Yardstick}.

    There are no yardsticks for float64 and for integers.
    """
    ahead = AHEAD.pop((case, dtype), None)
    if ahead is not None:
        return ahead.result()
    given = given_of(case, dtype)
    truth = run_numpy(given, "float64", "numpy")
    if dtype == "float64":
        return truth, {}
    floats = {name: a for name, a in truth.items() if a.dtype.kind == "f"}
    return truth, yardsticks(floats, lambda r: run_numpy(given, arithmetic=RandomRounding(r)), dtype)


@cache
def moved_in(case):
    """Return the names of the tensors that are only copied: what is gathered from a table or a map."""
    if case.kind == "op":
        return _moved_in_op(case)
    gather = (
        case.kind == "scheme"
        and [*given_of(case, "float64").state] == ["relative_position_bias_table"]
        and case.options.get("method") != "cross"  # iRPE's method that adds two rows
    )
    return {"out"} if gather else set()


def _moved_in_op(case):
    if case.name == "window_reverse":
        added = "residual" in case.inputs
        return {"dwindows", "dresidual"} if added else {"out", "dwindows"}
    return {"bias": {"out"}, "window_partition": {"out", "dx"}}.get(case.name, set())
