"""What anybody computed for a case, held to the truth: a budget.Row for each tensor. No PyTorch."""

from functools import cache

from . import budget
from .run import given_of, run_numpy
from .yardstick import yardsticks


def judge(case, dtype, results, side=""):
    """[budget.Row] for results {name: array}; raises AssertionError when the names differ.

    side: whose results they are, for messages. The inputs are those of `run.given_of(case, dtype)`.
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
    """({name: array}, {name: Yardstick}): the definition in float64, and what rounding costs it.

    There is no yardstick in float64, nor for integers.
    """
    given = given_of(case, dtype)
    truth = run_numpy(given, "float64", "numpy")
    if dtype == "float64":
        return truth, {}
    floats = {name: a for name, a in truth.items() if a.dtype.kind == "f"}
    return truth, yardsticks(floats, lambda rounding: run_numpy(given, rounding=rounding), dtype)


@cache
def moved_in(case):
    """The tensors that are only moved, never computed: the gather of a table that was given."""
    gather = (case.kind, case.name) == ("op", "bias") or (
        case.kind == "scheme"
        and [*given_of(case, "float64").state] == ["relative_position_bias_table"]
        and case.options.get("method") != "cross"  # iRPE's, which adds two rows up
    )
    return {"out"} if gather else set()
