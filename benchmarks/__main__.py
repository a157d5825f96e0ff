"""Check what each contestant computes, then time them in turns: python -m benchmarks --quick"""

import sys
from pathlib import Path

from tqdm import tqdm

from experiments.cli import MISTAKES, command, fail, parse, parser_for

from . import memory, race, report, result
from .settings import Settings
from .suites import SUITES

PUBLISHED, PARTIAL = Path("docs/results/benchmarks"), Path("reports/benchmarks")
ROUNDS, QUICK_ROUNDS = 5, 3


@command
def main(argv=None):
    parser = _parser()
    options = parse(parser, argv)
    try:
        settings = _settings(options)
        folder = _folder(options, settings)
        report.refuse_other_folders(folder)
    except MISTAKES as error:
        fail(parser.prog, error)
    measured = measure(options.suites, settings)
    print(report.text(measured))
    for path in report.write(folder, measured):
        print(f"written {path}")
    return 0 if measured.ours_are_right else 1


def measure(suites, settings):
    """Run every entry of these suites and return the Result."""
    found = result.begin(settings)
    entries = [entry for name in dict.fromkeys(suites) for entry in SUITES[name](settings)]
    with tqdm(entries, unit="entry", disable=None) as bar:
        for entry in bar:
            bar.set_postfix_str(entry.label)
            if isinstance(entry, memory.Entry):
                found.memories.append(memory.run(entry, settings))
            else:
                found.races.append(race.run(entry, settings))
    result.end(found)
    return found


def _parser():
    parser = parser_for("benchmarks", __doc__)
    parser.add_argument(
        "--suites", nargs="+", choices=tuple(SUITES), default=list(SUITES), help="what to measure"
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer and smaller workloads, without torch.compile"
    )
    parser.add_argument(
        "--rounds",
        type=int | None,
        help=f"timed rounds, one turn per contestant in each; default {ROUNDS}, quick {QUICK_ROUNDS}",
    )
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="device of PyTorch"
    )
    parser.add_argument(
        "--out",
        type=str | None,
        help=f"folder of the report; default {PUBLISHED}/<device>, of a partial run {PARTIAL}/<device>",
    )
    return parser


def _settings(options):
    """Return the Settings; raise ValueError for fewer than one round or a missing device."""
    import torch

    if options.rounds is not None and options.rounds < 1:
        raise ValueError(f"--rounds is {options.rounds}, expected at least 1")
    cuda = torch.cuda.is_available()
    if options.device == "cuda" and not cuda:
        raise ValueError("--device is cuda, but PyTorch sees no CUDA device")
    device = "cuda" if cuda and options.device != "cpu" else "cpu"
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    return Settings(options.quick, rounds, device)


def _folder(options, settings):
    """Return the report's folder: a partial run must not replace the published full report."""
    if options.out is not None:
        return Path(options.out)
    whole = set(options.suites) == set(SUITES) and not options.quick
    return (PUBLISHED if whole else PARTIAL) / settings.device


if __name__ == "__main__":
    sys.exit(main())
