"""Make the vectors of a case: its tensors, and what the manifest says of them."""

import numpy as np

from ..rounded import RandomRounding
from ..run import given_of, run_numpy
from ..verdict import moved_in
from ..yardstick import yardsticks
from .cases import kind_of, name_of
from .draws import Draws
from .files import STORED, packed, sha256
from .precise import FiftyDigits, precision, rounded_once

DTYPES = tuple(STORED)
SPREAD_BITS = 12  # binary digits of a spread's significand
COST_DIGITS = 3  # decimal digits of a cost


def draws(case, purpose):
    """Return what draws a case's inputs or cotangents."""
    return Draws(f"relative position bias, {name_of(case)}, {purpose}")


def vectors_of(case, dtype):
    """Return the bytes of a case's file, and its entry in the manifest."""
    given = given_of(case, dtype, draws)
    truth, costs = truth_of(given)
    moved, stored = moved_in(case), STORED[dtype]
    floats = {f"input.{name}": a for name, a in given.inputs.items()}
    outs = [name for name in truth if name.partition(".")[0] == "out"]
    douts = given.cotangents([truth[name] for name in outs])
    floats |= {f"cotangent.{name}": dout for name, dout in zip(outs, douts, strict=True)}
    tensors = {name: (a, stored if a.dtype.kind == "f" else "I64") for name, a in floats.items()}
    outputs = {}
    for name, a in truth.items():
        exact = name in moved or a.dtype.kind != "f"
        tensors[f"truth.{name}"] = a, "F64" if a.dtype.kind == "f" else "I64"
        outputs[name] = {"shape": [*a.shape], "rule": "exact" if exact else "float64"}
        if not exact and dtype != "float64":
            tensors[f"spread.{name}"] = short(costs[name].spread), "F32"
            outputs[name] |= {"rule": "rounding", "cost": [*map(few_digits, costs[name].cost)]}
    content, name = packed(tensors), name_of(case)
    entry = {
        "id": name,
        "kind": kind_of(case),
        "scheme": None,
        "dtype": dtype,
        "file": f"{dtype}/{name}.safetensors",
        "sha256": sha256(content),
        "options": case.options,
        "about": case.variant.replace("_", " "),
        "inputs": {
            name.removeprefix("input."): {"shape": [*a.shape], "dtype": held}
            for name, (a, held) in tensors.items()
            if name.startswith("input.")
        },
        "outputs": outputs,
    }
    return content, entry


def truth_of(given):
    """Return the results {name: array}, computed with fifty digits and rounded once, and {name: Yardstick}.

    There are no yardsticks for float64 and for integers.
    """
    with precision():
        results = run_numpy(given, arithmetic=FiftyDigits())
        truth = {name: rounded_once(a) for name, a in results.items()}
    if given.dtype == "float64":
        return truth, {}
    floats = {name: a for name, a in truth.items() if a.dtype.kind == "f"}
    run = lambda rounding: run_numpy(given, arithmetic=RandomRounding(rounding))  # noqa: E731
    return truth, yardsticks(floats, run, given.dtype)


def short(spread):
    """Return spreads rounded to `SPREAD_BITS` binary digits, and to the grid of float32."""
    fraction, exponent = np.frexp(spread)
    kept = np.ldexp(np.rint(np.ldexp(fraction, SPREAD_BITS)), exponent - SPREAD_BITS)
    return kept.astype(np.float32).astype(np.float64)


def few_digits(cost):
    """Return a cost rounded to `COST_DIGITS` decimal digits."""
    return float(f"{cost:.{COST_DIGITS - 1}e}")
