"""`python -m parity_tests.fuzz 20000`: calls under guard pages and malloc checks, then a table.

`--call 'TEXT'` makes one call again. Exits with 1 when something was found.
"""

import argparse
import ctypes
import os
import subprocess
import sys
from collections import Counter, defaultdict

CHECKS = {"MALLOC_CHECK_": "3", "MALLOC_PERTURB_": "165", "NUMBA_NUM_THREADS": "2"}
DEBUG = "libc_malloc_debug.so.0"  # without it glibc from 2.34 on ignores MALLOC_CHECK_


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m parity_tests.fuzz", description=__doc__)
    parser.add_argument("calls", nargs="?", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--targets", nargs="*", help="only these, as linear or Trainer")
    parser.add_argument("--call", help="make this call again, as the report has printed it")
    parser.add_argument("--guard", choices=("end", "begin"), help="only with guard pages there")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    return _inside(given) if given.inside else _under_checks(given)


def _under_checks(given):
    """Once with the guard pages after the arrays, once before them, half of the calls each."""
    worst = 0
    for guard in (given.guard,) if given.guard else ("end", "begin"):
        command = [sys.executable, "-m", "parity_tests.fuzz", "--inside", f"--guard={guard}"]
        command += (
            [f"--call={given.call}"] if given.call else [str(given.calls // (1 if given.guard else 2))]
        )
        command += ["--seed", str(given.seed + (10**6 if guard == "begin" else 0))]
        command += ["--targets", *given.targets] if given.targets else []
        done = subprocess.run(command, env=os.environ | environment(guard))
        worst = max(worst, done.returncode)
    return worst


def environment(guard):
    """The variables under which the C library checks its heap."""
    try:
        ctypes.CDLL(DEBUG)
    except OSError:
        return CHECKS | {"FUZZ_GUARD": guard}
    return CHECKS | {"FUZZ_GUARD": guard, "LD_PRELOAD": DEBUG}


def _inside(given):
    from . import judge  # noqa: F401 - imported before the fork
    from .server import fuzz, replay

    report = replay(given.call) if given.call else fuzz(given.calls, given.seed, given.targets)
    print(f"guard pages at the arrays' {given.guard}")
    print(table(report))
    return int(bool(report.violations))


def table(report):
    """The counts, then the shortest call of each sort of violation."""
    lines = [f"{'calls':24}{report.calls:>8}"]
    lines += [f"{'  steps ' + kind:24}{count:>8}" for kind, count in report.counts.most_common()]
    kinds = Counter()
    for (kind, *_), (count, _, _) in report.violations.items():
        kinds[kind] += count
    lines += [f"{kind:24}{count:>8}" for kind, count in kinds.most_common()] or ["nothing found"]
    groups = defaultdict(list)
    for (kind, where, target, _), (count, text, detail) in report.violations.items():
        groups[kind, where, target].append((len(text), text, detail, count))
    for (kind, where, target), entries in sorted(groups.items()):
        _, text, detail, _ = min(entries)
        total = sum(entry[3] for entry in entries)
        lines += [f"\n{kind}: {target}, {where}, {total} times", f"    {detail}", f"    {text}"]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
