"""Check, then time attention with a table on a GPU: python -m benchmarks.cuda --seconds 300

What matters most is measured first. The files are written anew after every entry.
"""

import argparse
import sys
import time
from pathlib import Path

from parity_tests.report import write_whole

from . import plan, report
from .machine import describe
from .worker import Worker

OUT = Path("reports/benchmarks/cuda")
PAGE, JSON = "benchmarks.md", "benchmarks.json"


def main(argv=None):
    options = _parse(argv)
    import torch

    if options.device == "cuda" and not torch.cuda.is_available():
        print("benchmarks.cuda: PyTorch sees no CUDA device", file=sys.stderr)
        return 2
    entries = plan.entries(plan.TINY if options.tiny else plan.WORKS, options.dtypes, options.suites)
    found = measure(entries, options.device, options.seconds, options.out)
    print(report.page(found))
    print(f"written {options.out / PAGE}\nwritten {options.out / JSON}")
    return 1 if report.ours_are_wrong(found) else 0


def measure(entries, device, seconds, folder):
    """Measure the entries until the seconds are over; return the Report, written after each of them."""
    folder.mkdir(parents=True, exist_ok=True)
    began, found = time.monotonic(), report.Report(describe(device))
    with Worker(device) as worker:
        for number, entry in enumerate(entries):
            if seconds is not None and time.monotonic() - began > seconds:
                found.left = entries[number:]
                break
            line = worker.measure(entry)
            print(f"{entry.label}: {_short(line)}", flush=True)
            found.lines.append((entry, line))
            _write(folder, found)
    _write(folder, found)
    return found


def _short(line):
    return line.absent or f"{1e3 * line.median:.3g} ms, {line.share:.0%} of the budget"


def _write(folder, found):
    write_whole(folder / JSON, report.to_json(found))
    write_whole(folder / PAGE, report.page(found))


def _parse(argv):
    parser = argparse.ArgumentParser("benchmarks.cuda", description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT, help=f"folder of the report; default {OUT}")
    parser.add_argument("--seconds", type=float, help="begin nothing after this time; default no limit")
    parser.add_argument("--suites", nargs="+", choices=tuple(report.TITLES), help="default: all")
    parser.add_argument("--dtypes", nargs="+", choices=plan.DTYPES, default=plan.DTYPES)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: a rehearsal")
    parser.add_argument("--tiny", action="store_true", help="tiny works, to try the command")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
