"""What the commands share: parsers, threads, and one clear line with exit code 2 for bad input."""

import sys
from functools import wraps

from jsonargparse import ArgumentError, ArgumentParser
from threadpoolctl import threadpool_limits

from . import plain_yaml, runs
from .build import TWINS, import_twin
from .config import one_line

# The errors of a bad value while a run is set up, before anything is trained or written.
MISTAKES = (ArgumentError, ValueError, TypeError, OverflowError, MemoryError, OSError)


def report_mistake(program, error):
    """Print the error in one line to stderr."""
    print(f"{program}: error: {one_line(error)}", file=sys.stderr, flush=True)


def fail(program, error):
    """Print the error in one line to stderr and exit with code 2."""
    report_mistake(program, error)
    raise SystemExit(2)


def command(main):
    """Wrap main(argv): Ctrl-C exits with code 130; OSError and MemoryError print a line, exit code 2.

    Any other error is a bug and keeps its traceback.
    """

    @wraps(main)
    def wrapped(argv=None):
        try:
            return main(argv)
        except KeyboardInterrupt:
            print("\ninterrupted", file=sys.stderr)
            return 130
        except (OSError, MemoryError) as error:
            program = main.__globals__["__spec__"].name  # under -m its __module__ is __main__
            return fail(f"python -m {program}", error or "out of memory")

    return wrapped


def parser_for(program, description):
    return ArgumentParser(
        prog=f"python -m {program}",
        description=description,
        exit_on_error=False,
        parser_mode=plain_yaml.MODE,
    )


def parse(parser, argv):
    """Return the parsed options; a bad argument ends the program with one line and exit code 2."""
    try:
        return parser.parse_args(argv)
    except MISTAKES as error:
        return fail(parser.prog, error)


def add_backend(parser, otherwise):
    """Add --backend, which is None when not given; otherwise: the default, as the help names it."""
    parser.add_argument(
        "--backend",
        choices=tuple(TWINS),
        help=f"the twin that runs: numpy (gradients by hand) or torch (autograd); default {otherwise}",
    )


def add_size(parser, option, text, required=False):
    """Add an option of one number, for height and width, or two; None or a list of them when parsed."""
    parser.add_argument(
        option,
        type=int,
        nargs="+",
        required=required,
        help=f"height and width, or one number for both; {text}",
    )


def as_size(lengths):
    """Return what `add_size` parsed as a configuration has it: a number, a list, or None."""
    return lengths[0] if lengths is not None and len(lengths) == 1 else lengths


def parser_of_a_run(
    program,
    description,
    folder="folder of a run, as printed by experiments.train",
    otherwise="the one that trained the run",
):
    """Return a parser for a command on a finished run: folder, --backend and --checkpoint.

    folder: the help for the argument of that name; otherwise: see `add_backend`.
    """
    parser = parser_for(program, description)
    parser.add_argument("folder", type=str, help=folder)
    add_backend(parser, otherwise)
    parser.add_argument(
        "--checkpoint",
        choices=("best", "last"),
        default="best",
        help="the epoch with the best validation accuracy, or the last one",
    )
    return parser


def add_split(parser):
    parser.add_argument(
        "--split", choices=("train", "val", "test"), default="test", help="part of the run's data"
    )


def loaded_run(options):
    """Open and load the run that the options of `parser_of_a_run` name; return (run, trainer).

    Raises one of MISTAKES for a bad run or checkpoint.
    """
    run = runs.open_run(options.folder)
    backend = options.backend or run.twin
    use_threads(backend)
    return run, runs.load(run, backend, options.checkpoint)


def use_threads(backend):
    """Limit BLAS to one thread for the NumPy twin, as its bits depend on the number of threads.

    The kernels have threads of their own. Returns the number of threads as a text for the user.
    """
    twin = import_twin(backend)
    if backend != "numpy":
        return f"{twin.num_threads()} on the CPU"
    threadpool_limits(1, "blas")
    if twin.dispatch.default_ops() == "numpy":
        return "1 for BLAS; plain NumPy instead of the kernels (this processor has no FMA)"
    return f"{twin.num_threads()} for the kernels, 1 for BLAS"
