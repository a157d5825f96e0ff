"""Judge a kernel of relative position bias, and say what is wrong with it."""

import argparse
import sys
from pathlib import Path

from .arrays import LIBRARIES
from .kernel import Kernel
from .kinds import KINDS
from .report import as_json, as_junit, text
from .verdict import judge_kernel

DTYPES = ("float32", "float16", "bfloat16", "float64")


def main(argv=None):
    parser = argparse.ArgumentParser(prog="rpb-check", description=__doc__)
    parser.add_argument("kernel", help="package.module:function or path/to/file.py:function")
    parser.add_argument("--kind", choices=KINDS, default="attention", help="what it computes")
    parser.add_argument("--scheme", help="only cases of this scheme; for the kind index 2d by default")
    parser.add_argument("--dtype", choices=DTYPES, default="float32", help="of the inputs")
    parser.add_argument("--library", choices=LIBRARIES, help="of the arrays, if it is not recognised")
    parser.add_argument("--quick", action="store_true", help="leave the large cases out")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the verdict there too")
    parser.add_argument("--junit", metavar="FILE", type=Path, help="write JUnit's XML there")
    options = parser.parse_args(argv)
    try:
        kernel = Kernel(options.kernel, options.library)
        verdict = judge_kernel(kernel, options.kind, options.dtype, options.quick, scheme=options.scheme)
    except ValueError as error:
        parser.error(str(error))
    print(text(verdict))
    if options.json:
        options.json.write_text(as_json(verdict) + "\n")
    if options.junit:
        options.junit.write_text(as_junit(verdict) + "\n")
    return 0 if verdict.ok else 1


if __name__ == "__main__":
    sys.exit(main())
