"""Judge a kernel of relative position bias, and say what is wrong with it."""

import argparse
from pathlib import Path

from .arrays import LIBRARIES
from .formats import as_json, as_junit, write_whole
from .kernel import Kernel
from .kinds import KINDS
from .listing import DTYPES, cases_of, overview
from .progress import bar
from .report import text
from .templates import TEMPLATES, template
from .verdict import judge_kernel

RIGHT, WRONG, USAGE = 0, 1, 2  # exit codes


class _Parser(argparse.ArgumentParser):
    """One that says an error in one line, and takes no shortened options."""

    def __init__(self, **options):
        super().__init__(allow_abbrev=False, **options)

    def error(self, message):
        self.exit(USAGE, f"{self.prog}: {message}\n")


def run(argv=None):
    """Run the command and return its exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        if options.template:
            print(template(options.kind, options.template), end="")
        elif options.list:
            print(cases_of(KINDS[options.kind].of_scheme(options.scheme)))
        elif options.kernel is None:
            print(overview())
        else:
            return _judged(options)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    return RIGHT


def _judged(options):
    """Judge the kernel, print the verdict, write the files; return the exit code."""
    files = {path: form for path, form in ((options.json, as_json), (options.junit, as_junit)) if path}
    for path in files:
        if not path.absolute().parent.is_dir():
            raise ValueError(f"there is no folder {path.parent} for {path.name}")
    kernel = Kernel(options.kernel, options.library, options.device)
    verdict = judge_kernel(
        kernel,
        options.kind,
        options.dtype,
        options.quick,
        bar,
        options.scheme,
        options.case,
        options.without,
    )
    print(text(verdict, options.verbose))
    for path, form in files.items():
        write_whole(path, form(verdict) + "\n")
    return RIGHT if verdict.ok else WRONG


def _parser():
    parser = _Parser(
        prog="rpb-check",
        description=__doc__ + " Without arguments: list the kinds of kernels.",
        epilog="exit code: 0 right, 1 wrong, 2 a wrong argument, 130 interrupted",
    )
    add = parser.add_argument
    add("kernel", nargs="?", help="package.module:function or path/to/file.py:function")
    add("--kind", choices=KINDS, default="attention", help="what it computes (attention)")
    add("--scheme", help="only cases of this scheme, for an index of your own: 2d, t5, …")
    add("--dtype", choices=DTYPES, default="float32", help="of the inputs (float32)")
    add("--library", choices=LIBRARIES, help="of the arrays, if it is not recognised")
    add("--device", help="of the arrays: cpu, cuda, cuda:1, gpu, … as the library names it")
    add("--case", metavar="PATTERN", default="*", help="only cases of such a name, e.g. 'swin*'")
    add("--without", metavar="PATTERN", default="", help="gradients not to judge; 'd*': none")
    add("--quick", action="store_true", help="leave the large cases out")
    add("--verbose", action="store_true", help="a line for each case and tensor")
    add("--json", metavar="FILE", type=Path, help="write the verdict there too")
    add("--junit", metavar="FILE", type=Path, help="write JUnit's XML there")
    add("--list", action="store_true", help="list the cases of the kind")
    add("--template", choices=TEMPLATES, help="print a kernel to begin with")
    return parser
