"""`python -m parity_tests.fuzz 20000`: random calls under guard pages and malloc checks, then a table.

`--call 'TEXT'` repeats one call. The exit status is 1 if a fault was found.
"""

import argparse
import ctypes
import json
import os
import subprocess
import sys

from .report import Report

CHECKS = {"MALLOC_CHECK_": "3", "MALLOC_PERTURB_": "165", "NUMBA_NUM_THREADS": "2"}
DEBUG = "libc_malloc_debug.so.0"  # without it glibc from 2.34 on ignores MALLOC_CHECK_


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m parity_tests.fuzz", description=__doc__)
    parser.add_argument("calls", nargs="?", type=int, default=2000, help="how many calls; default 2000")
    parser.add_argument("--seed", type=int, default=0, help="seed of the calls")
    parser.add_argument("--targets", nargs="*", help="only these, for example linear or Trainer")
    parser.add_argument("--call", help="repeat this call, as the report prints it")
    parser.add_argument("--guard", choices=("end", "begin"), help="only guard pages at this side")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    return _inside(given) if given.inside else _under_checks(given)


def _under_checks(given):
    """Run half of the calls with guard pages after the arrays and half with them before."""
    report, failed = Report(), False
    guards = (given.guard,) if given.guard else ("end", "begin")
    for place, guard in enumerate(guards):
        command = [sys.executable, "-m", "parity_tests.fuzz", "--inside"]
        command += ["--call", given.call] if given.call else [str(given.calls // len(guards))]
        command += ["--seed", str(given.seed + place * 10**6)]
        command += ["--targets", *given.targets] if given.targets else []
        variables = os.environ | environment(guard)
        done = subprocess.run(command, env=variables, stdout=subprocess.PIPE, text=True)
        failed |= bool(done.returncode)
        report.include(json.loads(done.stdout or "{}") or Report().as_plain())
    print(report.listed())
    print(report.table())
    return int(failed or bool(report.faults))


def environment(guard):
    """Return the environment variables that make the C library check its heap."""
    try:
        ctypes.CDLL(DEBUG)
    except OSError:
        return CHECKS | {"FUZZ_GUARD": guard}
    return CHECKS | {"FUZZ_GUARD": guard, "LD_PRELOAD": DEBUG}


def _inside(given):
    from .server import fuzz, replay, shrunk

    fresh = not given.call
    report = shrunk(fuzz(given.calls, given.seed, given.targets)) if fresh else replay(given.call)
    print(json.dumps(report.as_plain()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
