"""Make the golden vectors, compare them with new ones, or judge results of another program.

python -m parity_tests.vectors                      make the committed files
python -m parity_tests.vectors --full FOLDER        make the files of every case
python -m parity_tests.vectors --check [FOLDER]     make them again and compare every byte
python -m parity_tests.vectors judge RESULTS        judge the results in this folder, see README.md
"""

import argparse
import sys
from pathlib import Path

from . import judge
from .write import DATA, differences, write


def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["judge"]:
        return judge.main(argv[1:])
    parser = argparse.ArgumentParser(
        prog="python -m parity_tests.vectors",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--full", metavar="FOLDER", type=Path, help="write every case into this folder")
    parser.add_argument("--check", metavar="FOLDER", type=Path, nargs="?", const=DATA)
    options = parser.parse_args(argv)
    if options.check:
        found = list(differences(options.check))
        print("\n".join(found) or f"{options.check}: every file is what is made now")
        return int(bool(found))
    folder = options.full or DATA
    count, size = write(folder, bool(options.full))
    print(f"{folder}: {count} files, {size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
