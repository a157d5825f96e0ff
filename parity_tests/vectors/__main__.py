"""Make the golden vectors, or check that the committed ones are what would be made."""

import argparse
import json
import sys
from pathlib import Path

from numpy_ref import __version__

from .. import budget
from .cases import EDGES, chosen
from .files import write_whole
from .make import dtypes_of, vectors_of

DATA = Path(__file__).parent / "data"


def manifest_of(entries, full=False):
    """Return the manifest as text."""
    manifest = {
        "format": 1,
        "version": __version__,
        "rules": {"float64": budget.FLOAT64, "rounding": budget.ROUNDING},
        "edge_cases": EDGES,
        "cases": entries,
    }
    lines = [json.dumps(entry, ensure_ascii=False) for entry in entries]
    head = json.dumps(manifest | {"cases": []}, indent=1, ensure_ascii=False)
    return head.removesuffix("[]\n}") + "[\n" + ",\n".join(lines) + "\n]}\n"


def main():
    parser = argparse.ArgumentParser(prog="python -m parity_tests.vectors", description=__doc__)
    parser.add_argument("--full", metavar="FOLDER", type=Path, help="write every case into this folder")
    options = parser.parse_args()
    folder, entries = options.full or DATA, []
    for row in chosen(bool(options.full)):
        for dtype in dtypes_of(row):
            content, entry = vectors_of(row, dtype)
            write_whole(folder / entry["file"], content)
            entries.append(entry)
    write_whole(folder / "manifest.json", manifest_of(entries).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
