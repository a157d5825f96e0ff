"""Make the vectors of a case: its tensors, and its entry in the manifest."""

from dataclasses import replace

import numpy as np

from ..check.resize import RESIZE, RoundedResize
from ..check.shift import SHIFT
from ..rounded import RandomRounding
from ..run import given_of, run_numpy
from ..verdict import moved_in
from ..yardstick import yardsticks
from .about import about
from .cases import integers_of
from .draws import Draws
from .files import STORED, packed, sha256
from .precise import FiftyDigits, precision, rounded_once
from .steady import Steady

SPREAD_BITS = 12  # binary digits of a spread's significand
COST_DIGITS = 3  # decimal digits of a cost
WHOLE = "int64"  # in the manifest, the dtype of a case whose results are integers


def dtypes_of(row):
    """Return the precisions in which a case has a file."""
    return (WHOLE,) if row.is_whole else tuple(STORED)


def vectors_of(row, dtype):
    """Return the bytes of a case's file, and its entry in the manifest."""
    if row.is_whole:
        truth = integers_of(row)
        tensors = {"truth.out": (truth, "I64")}
        outputs = {"out": {"shape": [*truth.shape], "rule": "exact"}}
    else:
        tensors, outputs = _tensors(row, dtype)
    content = packed(tensors)
    entry = {
        "id": row.id,
        "kind": row.kind,
        "scheme": row.scheme,
        "dtype": dtype,
        "file": f"{dtype}/{row.id}.safetensors",
        "sha256": sha256(content),
        "options": options_of(row) | ({"call": row.case.call} if row.case.call else {}),
        "about": about(row),
        "inputs": {
            name.removeprefix("input."): {"shape": [*a.shape], "dtype": stored}
            for name, (a, stored) in tensors.items()
            if name.startswith("input.")
        },
        "outputs": outputs,
    }
    return content, entry


def options_of(row):
    """Return the arguments that are no arrays; sizes of `shift` are pairs."""
    return SHIFT.options(row.case) if row.kind == "shift" else row.case.options


def _tensors(row, dtype):
    """Return {name: (array, stored dtype)} of a case, and {result: its shape, rule and cost}."""
    given = given_of(row.case, dtype, draws_of(row))
    truth, costs = truth_of(row, given)
    outs = [name for name in truth if name.partition(".")[0] == "out"]
    arrays = {f"input.{name}": a for name, a in (given.inputs | given.state).items()}
    douts = given.cotangents([truth[name] for name in outs])
    arrays |= {f"cotangent.{name}": dout for name, dout in zip(outs, douts, strict=True)}
    tensors = {name: (a, STORED[dtype] if a.dtype.kind == "f" else "I64") for name, a in arrays.items()}
    outputs, moved = {}, moved_in(row.case)
    for name, a in truth.items():
        tensors[f"truth.{name}"] = a, "F64" if a.dtype.kind == "f" else "I64"
        exact = name in moved or a.dtype.kind != "f"
        outputs[name] = {"shape": [*a.shape], "rule": "exact" if exact else "float64"}
        if name in costs and name not in moved:
            tensors[f"spread.{name}"] = short(costs[name].spread), "F32"
            outputs[name] |= {"rule": "rounding", "cost": [*map(few_digits, costs[name].cost)]}
    return tensors, outputs


def draws_of(row):
    """Return what draws a case's inputs and cotangents."""
    return lambda case, purpose: Draws(f"{row.id} {purpose}")


def truth_of(row, given):
    """Return the results, computed with fifty digits and rounded once: {name: array}, {name: Yardstick}.

    There are no yardsticks for float64 and for integers.
    """
    with precision():
        results = run_numpy(given, arithmetic=FiftyDigits())
        truth = {name: rounded_once(a) for name, a in results.items()}
    if given.dtype == "float64":
        return truth, {}
    floats = {name: a for name, a in truth.items() if a.dtype.kind == "f"}
    return truth, yardsticks(floats, lambda rounding: _rounded(row, given, truth, rounding), given.dtype)


def _rounded(row, given, truth, rounding):
    """Return the results of a run with random rounding, to the same bits on every processor."""
    rounding = replace(rounding, float64=Steady)
    if row.kind != "resize":
        return run_numpy(given, arithmetic=RandomRounding(rounding))
    (dout,) = given.cotangents([truth["out"]])
    rounded = RoundedResize(rounding, dout, **given.inputs, **RESIZE.options(row.case))
    return {name: rounded.result(name) for name in truth}


def short(spread):
    """Return spreads rounded to `SPREAD_BITS` binary digits, and to the grid of float32."""
    fraction, exponent = np.frexp(spread)
    kept = np.ldexp(np.rint(np.ldexp(fraction, SPREAD_BITS)), exponent - SPREAD_BITS)
    return kept.astype(np.float32).astype(np.float64)


def few_digits(cost):
    """Return a cost rounded to `COST_DIGITS` decimal digits."""
    return float(f"{cost:.{COST_DIGITS - 1}e}")
