"""Compile, and write the report: python -m benchmarks.triton_ahead.

Fails if a kernel spills registers or takes more shared memory than a GPU has. What is left out of the
choice is not compiled; then there is no report.
"""

import argparse
import os
import sys
from pathlib import Path

if os.environ.pop("TRITON_INTERPRET", "0") == "1":
    print("TRITON_INTERPRET is taken out: what is interpreted cannot be compiled")

from tqdm import tqdm

from . import report
from .resources import POINTERS, compiled
from .variants import CLASSES, DTYPES, GENERATIONS, KERNELS, variants

FOLDER = Path("docs/results/triton")


def main():
    choice = vars(_parser().parse_args())
    chosen = variants(**choice)
    rows = [(variant, compiled(variant)) for variant in tqdm(chosen, unit=" kernels")]
    if chosen == variants():
        for path in report.write(FOLDER, rows):
            print(path)
    wrong = report.faults(rows)
    print(f"{len(rows)} kernels, {len(wrong)} with faults", *wrong, sep="\n")
    return 1 if wrong else 0


def _parser():
    parser = argparse.ArgumentParser("python -m benchmarks.triton_ahead", description=__doc__)
    parser.add_argument("--gpus", nargs="+", choices=GENERATIONS, default=tuple(GENERATIONS))
    parser.add_argument("--dtypes", nargs="+", choices=POINTERS, default=DTYPES)
    parser.add_argument("--names", nargs="+", choices=KERNELS, default=tuple(KERNELS))
    parser.add_argument("--channels", nargs="+", type=int, choices=CLASSES, default=CLASSES)
    return parser


if __name__ == "__main__":
    sys.exit(main())
