"""Run JAX's attention and bias through the golden vectors: python main.py [VECTORS_FOLDER]."""

import argparse
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


def main(arguments):
    """Judge all cases and return the exit code: 0 if all are right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", default=VECTORS, help="with manifest.json")
    parser.add_argument("--kind", choices=KINDS, help="only this kind")
    parser.add_argument("--dtype", help="only this dtype")
    chosen = parser.parse_args(arguments)
    try:
        manifest = read_manifest(chosen.folder)
    except DamagedError as error:
        print(error)
        return 1
    groups = defaultdict(list)
    for case in manifest["cases"]:
        if chosen.dtype in (None, case["dtype"]):
            groups[case["kind"], case["dtype"]].append(case)
    kinds = [chosen.kind] if chosen.kind else KINDS
    absent = [kind for kind in kinds if not any(of == kind for of, _ in groups)]
    for kind in absent:
        print(f"{kind}: no case")
    right = [
        report(chosen.folder, group, manifest["rules"])
        for (kind, _), group in groups.items()
        if kind in kinds
    ]
    left_out = sum(len(group) for (kind, _), group in groups.items() if kind not in kinds)
    if left_out:
        print(f"{left_out} cases of other kinds left out")
    return 0 if all(right) and not absent else 1


def report(folder, cases, rules):
    """Judge the cases of a kind and dtype, print a line, and return whether all are right."""
    wrong, largest = 0, 0.0
    for case in cases:
        try:
            shares = judge(case, read_case(folder, case), rules)
        except DamagedError as error:
            print(error)
            wrong += 1
            continue
        for name, value in shares.items():
            if not value <= 1:
                print(f"{case['id']} {case['dtype']}: {name} is wrong, share {value:.3g}")
        largest = max(largest, *shares.values())
        wrong += any(not value <= 1 for value in shares.values())
    state = f"{wrong} WRONG" if wrong else "right"
    kind, dtype = cases[0]["kind"], cases[0]["dtype"]
    print(f"{kind:13}{dtype:9}{len(cases):4} cases, {state}, largest share {largest:.3f}", flush=True)
    return not wrong


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
