"""Run JAX's attention and bias through the golden vectors: python main.py [VECTORS_FOLDER]."""

import argparse
import math
import sys
from collections import defaultdict
from functools import partial
from pathlib import Path

import jax
import numpy as np
from attention import attention
from bias import bias, cosine, score_lookup, value_lookup
from index import SCHEMES
from judge import share
from resize import resize
from vectors import DamagedError, read_case, read_manifest
from windows import reverse, shift, windows

VECTORS = Path(__file__).parents[3] / "parity_tests" / "vectors" / "data"
FUNCTIONS = {
    "attention": attention,
    "bias": bias,
    "score_lookup": score_lookup,
    "value_lookup": value_lookup,
    "cosine": cosine,
    "windows": windows,
    "reverse": reverse,
    "resize": resize,
}
KINDS = [*FUNCTIONS, "shift", "index"]
# Whose results are denormal in float32. float16's denormal numbers are normal ones in float32.
DENORMAL = {("attention-denormal", "float32"), ("attention-denormal", "bfloat16")}


def main(arguments):
    """Judge all cases and return the exit code: 0 if all are right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", default=VECTORS, help="with manifest.json")
    parser.add_argument("--case", metavar="ID", help="only this case, in all its dtypes")
    chosen = parser.parse_args(arguments)
    try:
        manifest = read_manifest(chosen.folder)
    except DamagedError as error:
        print(error)
        return 1
    groups = defaultdict(list)
    for case in manifest["cases"]:
        if chosen.case in (None, case["id"]):
            groups[case["kind"], case["dtype"]].append(case)
    right = [report(chosen.folder, group, manifest["rules"]) for group in groups.values()]
    absent = set(KINDS) - {kind for kind, _ in groups} if chosen.case is None else set()
    for kind in sorted(absent):
        print(f"{kind}: no case")
    return 0 if right and all(right) and not absent else 1


def report(folder, cases, rules):
    """Judge the cases of a kind and dtype, print a line, and return whether all are right."""
    wrong, ran, largest = 0, 0, 0.0
    for case in cases:
        name = f"{case['id']} {case['dtype']}"
        if reason := left_out(case):
            print(f"{name}: left out, {reason}")
            continue
        ran += 1
        try:
            shares = judge(case, read_case(folder, case), rules)
        except (DamagedError, TypeError, ValueError) as error:  # a file; an unknown option or value
            print(f"{name}: {error}")
            wrong, largest = wrong + 1, math.inf
            continue
        failed = {result: value for result, value in shares.items() if not value <= 1}  # NaN too
        for result, value in failed.items():
            print(f"{name}: {result} is wrong, share {value:.3g}")
        largest = max(largest, *shares.values())
        wrong += bool(failed)
    state = f"{wrong} WRONG" if wrong else "right"
    kind, dtype = cases[0]["kind"], cases[0]["dtype"]
    print(f"{kind:13}{dtype:9}{ran:4} cases, {state}, largest share {largest:.3f}", flush=True)
    return not wrong


def left_out(case):
    """Return why a case cannot be run here, or None."""
    if case["kind"] not in KINDS:
        return "another kind"
    if case["kind"] == "index" and case["scheme"] not in SCHEMES:
        return "another scheme"
    if (case["id"], case["dtype"]) in DENORMAL and flushes_denormals():
        return "XLA takes denormal numbers for 0 on this device"
    return None


def flushes_denormals():
    """Return whether arithmetic with a denormal float32 gives 0, as XLA makes the CPU do."""
    return float(jax.jit(lambda x: x + x)(np.float32(1e-40))) == 0


def judge(case, tensors, rules):
    """Return {result: share of the allowed error} of a case."""
    results = host(case) if case["dtype"] == "int64" else device(case, tensors)
    return {
        name: share(results[name], tensors[f"truth.{name}"], how, rules, tensors.get(f"spread.{name}"))
        for name, how in case["outputs"].items()
    }


def host(case):
    """Compute an index or a mask of integers."""
    function = SCHEMES[case["scheme"]] if case["kind"] == "index" else shift
    return {"out": function(**hashable(case["options"]))}


def device(case, tensors):
    """Compute a case's results and gradients in one jitted call."""
    inputs = {name: tensors[f"input.{name}"] for name in case["inputs"]}
    names = tuple(name[1:] for name in case["outputs"] if name.startswith("d"))
    douts = [tensors[name] for name in sorted(tensors) if name.startswith("cotangent.")]
    function = partial(FUNCTIONS[case["kind"]], **hashable(case["options"]))
    outs, grads = jax.jit(partial(out_and_gradients, function, names))(inputs, douts)
    outs = {"out": outs[0]} if len(outs) == 1 else {f"out.{i}": out for i, out in enumerate(outs)}
    results = {**outs, **{f"d{name}": grad for name, grad in grads.items()}}
    return {name: np.asarray(result) for name, result in results.items()}


def out_and_gradients(function, names, inputs, douts):
    """Return [out …] and {name: gradient} for the inputs in `names`."""

    def outs(varied):
        out = function(**{**inputs, **varied})
        return list(out) if isinstance(out, tuple) else [out]

    values, backward = jax.vjp(outs, {name: inputs[name] for name in names})
    return values, backward(douts)[0] if names else {}


def hashable(options):
    """Return a case's options as the functions take them: a JSON list is a tuple."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_default_matmul_precision", "highest")  # a GPU would take tf32
    sys.exit(main(sys.argv[1:]))
