"""Make the vectors of a case: its tensors, and what the manifest says of them."""

from dataclasses import replace

import numpy as np

from ..rounded import RandomRounding
from ..run import given_of, run_numpy
from ..verdict import moved_in
from ..yardstick import yardsticks
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
        "options": row.case.options,
        "about": row.case.variant.replace("_", " "),
        "inputs": {
            name.removeprefix("input."): {"shape": [*a.shape], "dtype": stored}
            for name, (a, stored) in tensors.items()
            if name.startswith("input.")
        },
        "outputs": outputs,
    }
    return content, entry


def _tensors(row, dtype):
    """Return {name: (array, stored dtype)} of a case, and {result: its shape, rule and cost}."""
    given = given_of(row.case, dtype, draws_of(row))
    truth, costs = truth_of(given)
    outs = [name for name in truth if name.partition(".")[0] == "out"]
    arrays = {f"input.{name}": a for name, a in given.inputs.items()}
    douts = given.cotangents([truth[name] for name in outs])
    arrays |= {f"cotangent.{name}": dout for name, dout in zip(outs, douts, strict=True)}
    tensors = {name: (a, STORED[dtype] if a.dtype.kind == "f" else "I64") for name, a in arrays.items()}
    outputs, moved = {}, moved_in(row.case)
    for name, a in truth.items():
        tensors[f"truth.{name}"] = a, "F64" if a.dtype.kind == "f" else "I64"
        outputs[name] = {"shape": [*a.shape], "rule": "exact" if name in moved else "float64"}
        if name in costs and name not in moved:
            tensors[f"spread.{name}"] = short(costs[name].spread), "F32"
            outputs[name] |= {"rule": "rounding", "cost": [*map(few_digits, costs[name].cost)]}
    return tensors, outputs


def draws_of(row):
    """Return what draws a case's inputs and cotangents."""
    return lambda case, purpose: Draws(f"{row.id} {purpose}")


def truth_of(given):
    """Return the results, computed with fifty digits and rounded once: {name: array}, {name: Yardstick}.

    There are no yardsticks for float64 and for integers.
    """
    with precision():
        results = run_numpy(given, arithmetic=FiftyDigits())
        truth = {name: rounded_once(a) for name, a in results.items()}
    if given.dtype == "float64":
        return truth, {}
    floats = {name: a for name, a in truth.items() if a.dtype.kind == "f"}
    return truth, yardsticks(floats, lambda rounding: _rounded(given, rounding), given.dtype)


def _rounded(given, rounding):
    """Return the results of a run with random rounding, to the same bits on every processor."""
    return run_numpy(given, arithmetic=RandomRounding(replace(rounding, float64=Steady)))


def short(spread):
    """Return spreads rounded to `SPREAD_BITS` binary digits, and to the grid of float32."""
    fraction, exponent = np.frexp(spread)
    kept = np.ldexp(np.rint(np.ldexp(fraction, SPREAD_BITS)), exponent - SPREAD_BITS)
    return kept.astype(np.float32).astype(np.float64)


def few_digits(cost):
    """Return a cost rounded to `COST_DIGITS` decimal digits."""
    return float(f"{cost:.{COST_DIGITS - 1}e}")
