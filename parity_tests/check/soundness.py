"""Judge right kernels of several makes with many seeds: all must be right.

Print a table of the largest share of the budget per make and dtype.
"""

import argparse
import os
import platform
import sys
from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import torch

from .. import budget
from ..right_kernels_to_check import MAKES
from ..verdict import truth_of
from .attention import ATTENTION

DTYPES = ("float64", "float32", "float16", "bfloat16")


def shares(seed, dtype, makes=MAKES, cases=None):
    """Return {make: [(share of the budget, case, tensor)]}: a row per case and tensor, for a seed."""
    found = {make: [] for make in makes}
    for case in cases or ATTENTION.cases:
        if not ATTENTION.arguments.keys() >= {*case.inputs, *case.options} or ATTENTION.is_large(case):
            continue
        question = ATTENTION.question(replace(case, seed=seed), dtype)
        for make, kernel in makes.items():
            for name, x in kernel.results(question).items():
                row = budget.row(name, question.truth[name], x, question.costs.get(name))
                share = row.budget_share if np.isfinite(row.budget_share) else np.inf
                found[make].append((float(share), case.variant, name))
    truth_of.cache_clear()
    return found


def page(found, seeds, options=""):
    """Return the results, {(make, dtype): [(share, case, tensor)]}, as Markdown; options: of the run."""
    rows = [
        f"| {make} | {dtype} | {len(each):,} | {sum(row[0] > 1 for row in each)} "
        f"| {max(each)[0]:.3f} | {max(each)[1]}, {max(each)[2]} |"
        for (make, dtype), each in found.items()
    ]
    total = [row for each in found.values() for row in each]
    wrong = sum(row[0] > 1 for row in total)
    return "\n".join(
        [
            "# Right kernels are judged right",
            "",
            f"`python -m parity_tests.check.soundness --seeds {seeds}{options}`",
            f"on {datetime.now(UTC):%Y-%m-%d}, {_processor()}, {os.cpu_count()} processors,",
            f"Python {platform.python_version()}, NumPy {np.__version__}, PyTorch {torch.__version__}.",
            "",
            f"{len(total):,} tensors were compared with the truth. {wrong} are over the budget.",
            f"The largest error is {max(total)[0]:.1%} of it. Seeds 1 to {seeds}, the cases of",
            "attention that `--quick` judges, or those of `--cases` among them. The makes are right",
            "kernels, in `parity_tests/right_kernels_to_check.py` and",
            "`parity_tests/right_numpy_kernels_to_check.py`.",
            "",
            "| make | dtype | comparisons | over | largest share | where |",
            "| --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def _processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(": ")[2]
    return platform.machine()


def chosen(pattern, named):
    """Return the entries of {name: entry} whose names match one of the patterns, given with commas."""
    return {n: x for n, x in named.items() if any(fnmatch(n, each) for each in pattern.split(","))}


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m parity_tests.check.soundness", description=__doc__)
    parser.add_argument("--seeds", type=int, default=30, help="how many, from 1")
    parser.add_argument("--makes", default="*", help="names or patterns, with commas")
    parser.add_argument("--cases", default="*", help="names or patterns, with commas")
    parser.add_argument("--dtypes", default=",".join(DTYPES), help="with commas")
    parser.add_argument("--write", type=Path, help="write the table to this file after each seed")
    options = parser.parse_args(argv)
    makes = chosen(options.makes, MAKES)
    cases = [*chosen(options.cases, {case.variant: case for case in ATTENTION.cases}).values()]
    patterns = {"makes": options.makes, "cases": options.cases}
    named = "".join(f" --{name} '{value}'" for name, value in patterns.items() if value != "*")
    found = {}
    for seed in range(1, options.seeds + 1):
        for dtype in options.dtypes.split(","):
            for make, rows in shares(seed, dtype, makes, cases).items():
                found.setdefault((make, dtype), []).extend(rows)
        text = page(found, seed, named)
        if options.write:
            options.write.write_text(text)
        print(f"seed {seed}: {max(max(rows)[0] for rows in found.values()):.3f}", flush=True)
    print(text)
    return int(any(row[0] > 1 for rows in found.values() for row in rows))


if __name__ == "__main__":
    sys.exit(main())
