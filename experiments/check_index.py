"""Check a relative position index from a .npy file: what is wrong with it, and how to fix it."""

import io
import sys

import numpy as np

from parity_tests.check_index import CONVENTIONS, check_index

from .cli import MISTAKES, command, fail, parse, parser_for
from .files import write_whole

MAGIC = b"\x93NUMPY"


@command
def main(argv=None):
    parser = parser_for("experiments.check_index", __doc__)
    parser.add_argument("file", type=str, help="the index, as numpy.save writes it")
    parser.add_argument(
        "--window-size", type=int, nargs="+", required=True, help="size of the window along each axis"
    )
    parser.add_argument(
        "--prefix-tokens",
        type=int,
        default=0,
        help="tokens before the window's (class token, registers)",
    )
    parser.add_argument(
        "--convention",
        choices=tuple(CONVENTIONS),
        default="swin",
        help="what the index is meant to be: "
        + "; ".join(f"{name}: {each.words} ({each.users})" for name, each in CONVENTIONS.items()),
    )
    parser.add_argument(
        "--permutation", type=str | None, help=".npy file to write the permutation to, if there is one"
    )
    options = parse(parser, argv)
    try:
        index = read_array(options.file)
        report = check_index(index, options.window_size, options.prefix_tokens, options.convention)
    except MISTAKES as error:
        fail(parser.prog, error)
    print(report)
    if options.permutation is not None:
        try:
            write_whole(options.permutation, as_file(report.permutation))
        except MISTAKES as error:
            fail(parser.prog, f"--permutation {options.permutation}: {error}")
    return 0 if report.ok else 1


def read_array(path):
    """Return the array of a .npy file, never unpickling anything; raises ValueError or OSError."""
    with open(path, "rb") as file:
        start = file.read(len(MAGIC))
    if start != MAGIC:
        raise ValueError(f"{path} is no .npy file: it begins with {start!r}, expected {MAGIC!r}")
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        kind = (
            "holds pickled objects, expected integers" if "Python objects" in str(error) else "damaged"
        )
        raise ValueError(f"{path}: {kind} ({error})") from error


def as_file(permutation):
    """Return the content of a .npy file; raises ValueError unless there is exactly one permutation."""
    if not isinstance(permutation, np.ndarray):
        found = "none" if permutation is None else f"{len(permutation)}, one per axis"
        raise ValueError(f"there is {found}, expected one")
    content = io.BytesIO()
    np.save(content, permutation)
    return content.getvalue()


if __name__ == "__main__":
    sys.exit(main())
