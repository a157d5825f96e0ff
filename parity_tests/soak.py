"""Run the table of cases with many seeds on simulated processors; report the share of the budget used.

This shows whether a verdict depends on the seed or the processor. Each processor is simulated in a
process whose environment keeps numba, PyTorch (ATen, MKL, oneDNN), OpenBLAS and NumPy from using other
instructions. The truth and the yardsticks are made once per seed, by a process without these limits.
"""

import argparse
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from .cases import CASES

ROOT = Path(__file__).parent.parent
# The processes run side by side, each in one thread: results do not depend on their number.
ALONE = dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
QUANTILES = {"median": 0.5, "99 %": 0.99, "99.99 %": 0.9999, "largest": 1.0}
WORST = 10  # comparisons that are listed


def processors():
    """Return {name: environment}; "this" is the machine without limits."""
    features = np._core._multiarray_umath
    dispatched = [name for name in features.__cpu_dispatch__ if features.__cpu_features__.get(name)]
    wide = [name for name in dispatched if "AVX512" in name or name == "X86_V4"]
    return {
        "this": {},
        "AVX2": _environment("+avx2,+fma", "avx2", "Haswell", "AVX2", "AVX2", wide),
        "SSE": _environment("+avx,+fma", "default", "Nehalem", "SSE4_2", "SSE41", dispatched),
        "no FMA": _environment("", "default", "Nehalem", "SSE4_2", "SSE41", dispatched),
    }


def _environment(kernels, aten, openblas, mkl, onednn, numpy_without):
    return {
        "NUMBA_CPU_NAME": "x86-64",
        "NUMBA_CPU_FEATURES": kernels,
        "ATEN_CPU_CAPABILITY": aten,
        "OPENBLAS_CORETYPE": openblas,
        "MKL_ENABLE_INSTRUCTIONS": mkl,
        "ONEDNN_MAX_CPU_ISA": onednn,
        "NPY_DISABLE_CPU_FEATURES": " ".join(numpy_without),
    }


def soak(seeds, names, dtypes, every=1, show=print):
    """Run all comparisons; return {name: [(share, seed, dtype, case, tensor, side)]}, largest first."""
    with tempfile.TemporaryDirectory() as folder:
        common = [sys.executable, "-m", __package__ + ".soak", "--folder", folder, "--every", str(every)]
        common += ["--dtypes", ",".join(dtypes), "--seeds", ",".join(map(str, seeds))]
        environments = {"the truth": {}} | {name: processors()[name] for name in names}
        running = {
            name: subprocess.Popen([*common, "--worker", name], env=os.environ | ALONE | extra, cwd=ROOT)
            for name, extra in environments.items()
        }
        try:
            for name, process in running.items():
                if process.wait():
                    raise RuntimeError(f"the process of {name!r} ended with {process.returncode}")
                show(f"{name}: done")
        finally:
            for process in running.values():
                process.kill()
        return {name: json.loads((Path(folder) / f"{name}.json").read_text()) for name in names}


def _make_truths(folder, seeds, dtypes, every):
    """Write a file per seed, whole or not at all: {(case id, dtype): result of `truth_of`}."""
    from .verdict import truth_of

    for seed in seeds:
        cases = [replace(case, seed=seed) for case in CASES[::every]]
        truths = {(case.id, dtype): truth_of(case, dtype) for case in cases for dtype in dtypes}
        truth_of.cache_clear()
        part = folder / f"{seed}.part"
        part.write_bytes(pickle.dumps(truths))
        part.rename(folder / f"{seed}.pickle")


def _judge_seeds(name, folder, seeds, dtypes, every):
    from . import compare, verdict

    rows = []
    for seed in seeds:
        path = folder / f"{seed}.pickle"
        while not path.exists():
            time.sleep(0.2)
        truths = pickle.loads(path.read_bytes())
        verdict.truth_of = lambda case, dtype, truths=truths: truths[case.id, dtype]
        for case in (replace(case, seed=seed) for case in CASES[::every]):
            for dtype in dtypes:
                for implementation in compare.implementations(case):
                    found = compare.compare(case, dtype, implementation=implementation)
                    label = case.id if implementation == "eager" else f"{case.id}-{implementation}"
                    rows += [(_share(r), seed, dtype, label, r.tensor, r.side) for r in found]
        (folder / f"{name}.json").write_text(json.dumps(sorted(rows, reverse=True)))


def _share(row):
    return float(row.budget_share) if np.isfinite(row.budget_share) else 1e99


def table(results):
    """Return a line per processor: comparisons, how many over budget, quantiles of the share."""
    lines = [("processor", "comparisons", "over", *QUANTILES)]
    for name, rows in results.items():
        shares = np.array([row[0] for row in rows])
        quantiles = [f"{np.quantile(shares, q):.3f}" for q in QUANTILES.values()]
        lines.append((name, f"{len(rows):,}", str((shares > 1).sum()), *quantiles))
    return lines


def main():
    parser = argparse.ArgumentParser(prog="python -m parity_tests.soak", description=__doc__)
    parser.add_argument("--seeds", default="30", help="how many, from 1, or a list with commas")
    parser.add_argument("--processors", default="this,AVX2,SSE,no FMA", help="some of the default's")
    parser.add_argument("--dtypes", default="float32", help="with commas; default float32")
    parser.add_argument("--every", type=int, default=1, help="run only every n-th case")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    several = "," in options.seeds or options.worker
    seeds = [int(s) for s in options.seeds.split(",")] if several else range(1, int(options.seeds) + 1)
    dtypes = options.dtypes.split(",")
    if options.worker == "the truth":
        return _make_truths(options.folder, seeds, dtypes, options.every)
    if options.worker:
        return _judge_seeds(options.worker, options.folder, seeds, dtypes, options.every)
    results = soak(seeds, options.processors.split(","), dtypes, options.every)
    for line in table(results):
        print("  ".join(cell.ljust(12) for cell in line).rstrip())
    print("\nlargest shares of the budget:")
    for row in sorted((row for rows in results.values() for row in rows), reverse=True)[:WORST]:
        print(f"  {row[0]:.3f}  seed {row[1]}  {row[2]}  {row[3]}  {row[4]}  {row[5]}")
    return int(any(row[0] > 1 for rows in results.values() for row in rows))


if __name__ == "__main__":
    sys.exit(main())
