"""Run parity, the tests that need CUDA and the benchmarks, and write a record: `make gpu`.

Each part is a process with a limit on its time. The record is written anew after each part, so that what
one has found stays, whatever becomes of the next.
"""

import argparse
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from experiments.files import write_whole
from experiments.pages import wrapped

ROOT = Path(__file__).parents[2]
OUT = Path("docs/results/gpu")
SECONDS = 520  # of all parts, so that the whole fits in nine minutes
RESERVE = 10  # of these for starting and stopping
MOST = {"parity": 240, "tests": 120}  # seconds; the benchmarks have the rest
GRACE = 15  # seconds in which an interrupted part may write what it has
TAIL = 100  # lines of the log's end that are printed: the benchmarks' tables
MARK = "mark." + "cuda"
TESTS = ("parity_tests", "experiments/tests", "benchmarks/tests")


@dataclass
class Part:
    """A process of the run. state: what became of it, "waiting" at first; said: its last line."""

    name: str
    command: list
    needs: tuple = ()
    environment: tuple = ()
    seconds: float = 0.0
    state: str = "waiting"
    said: str = ""

    @property
    def missing(self):
        return [package for package in self.needs if importlib.util.find_spec(package) is None]


def parts_of(device, folder, tiny):
    """Return the parts in their order. tiny: a few of each, to try the command."""
    some = ["-k", "op-attention-swin_3x5"] if tiny else []
    mine = ["--tiny", "--dtypes", "float32", "--suites", "length"] if tiny else []
    bench = ["benchmarks.cuda", "--device", device, "--out", str(folder), *mine]
    parity = ["pytest", "-q", "parity_tests/test_parity.py", "parity_tests/test_parity_cuda.py", *some]
    environment = {"DEVICE": device, "TWINS": "torch", "REPORTS": str(folder)}
    environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    environment |= {} if tiny else {"JOBS": str(os.cpu_count())}
    cublas = (("CUBLAS_WORKSPACE_CONFIG", ":4096:8"),)  # for equal bits in two runs
    return [
        Part("parity", parity, ("pytest", "numba"), tuple(environment.items())),
        Part("tests", ["pytest", "-q", "-m", "cuda", *marked()], ("pytest", "numba", "sklearn"), cublas),
        Part("benchmarks", bench, ("numba", "pytest")),
    ]


def marked():
    """Return the test files with tests that need CUDA; others may import what is not installed."""
    files = [path for folder in TESTS for path in sorted((ROOT / folder).glob("test_*.py"))]
    return [str(path.relative_to(ROOT)) for path in files if MARK in path.read_text()]


def main(argv=None):
    options = _parse(argv)
    machine = _machine(options.device)
    if machine is None:
        return 2
    folder = _new_folder(options.out, machine["device"] if options.device == "cuda" else "rehearsal")
    deadline = time.monotonic() + options.seconds - RESERVE
    about = {"date": date.today().isoformat(), "commit": commit(), **machine}
    parts = parts_of(options.device, folder.resolve(), options.tiny)
    parts = [part for part in parts if options.parts is None or part.name in options.parts]
    with (folder / "log.txt").open("w") as log:
        for part in parts:
            write(folder, about, parts)
            began = log.tell()
            run(part, deadline, log)
            part.said = last_line(folder / "log.txt", began)
            print(f"{part.name}: {part.state}, {part.seconds:.0f} s: {part.said}", flush=True)
    write(folder, about, parts)
    print("\n".join((folder / "log.txt").read_text(errors="replace").splitlines()[-TAIL:]))
    print(f"written {folder}")
    return 0 if all(part.state == "passed" for part in parts) else 1


def run(part, deadline, log):
    """Run a part until it ends or its time is over; note its state and its seconds."""
    if part.missing:
        part.state = f"not run: {sys.executable} lacks {', '.join(part.missing)}"
        return
    limit = min(deadline - time.monotonic(), MOST.get(part.name, float("inf")))
    if limit < GRACE:
        part.state = "not run: no time was left"
        return
    command = [sys.executable, "-m", *part.command]
    if part.name == "benchmarks":  # stops by itself, between two entries
        command += ["--seconds", str(int(limit - GRACE))]
    log.write(f"\n$ {' '.join(command)}\n")
    log.flush()
    began = time.monotonic()
    options = {"cwd": ROOT, "env": os.environ | dict(part.environment), "start_new_session": True}
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, **options)
    try:
        code = process.wait(limit)
        part.state = "passed" if code == 0 else f"failed with code {code}"
    except subprocess.TimeoutExpired:
        part.state = f"stopped after {limit:.0f} s"
    finally:
        _stop(process)
        part.seconds = time.monotonic() - began


def _stop(process):
    """Interrupt the process, so that it can write what it has; then kill what is left of its group."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def write(folder, about, parts):
    """Write README.md and record.json."""
    kept = [{**asdict(part), "environment": dict(part.environment)} for part in parts]
    write_whole(folder / "record.json", json.dumps({"about": about, "parts": kept}, indent=1) + "\n")
    write_whole(folder / "README.md", page(folder, about, parts))


def page(folder, about, parts):
    """Return the record's page."""
    facts = [f"- {name}: {value}" for name, value in about.items()]
    rows = [f"| {p.name} | {p.state} | {p.seconds:.0f} s | {p.said} |" for p in parts]
    files = sorted(path.name for path in folder.iterdir() if path.suffix in (".md", ".json", ".txt"))
    links = [f"- [{name}]({name})" for name in files if name != "README.md"]
    head = [f"# {about['device']}, {about['date']}", "", wrapped("\n".join(facts)), ""]
    table = ["| part | result | time | its last line |", "| --- | --- | ---: | --- |", *rows, ""]
    return "\n".join([*head, *table, *links, ""])


def last_line(path, began):
    """Return the last line that was written to the file after `began` bytes."""
    text = path.read_bytes()[began:].decode(errors="replace").strip()
    return text.rpartition("\n")[2].strip("= ")


def commit():
    """Return the commit, with "and changes" if files differ from it; COMMIT where git is missing."""
    try:
        head, changes = (_git("rev-parse", "HEAD"), _git("status", "--porcelain", "-uno"))
    except (OSError, subprocess.CalledProcessError):
        return os.environ.get("COMMIT") or "not known: no git checkout"
    return head + (" and changes" if changes else "")


def _git(*arguments):
    command = ["git", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def _machine(device):
    """Return what `benchmarks.cuda.machine` says; print its last line and return None if it fails."""
    command = [sys.executable, "-m", "benchmarks.cuda.machine", device]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    print(f"gpu: {done.stderr.strip().rpartition(chr(10))[2]}", file=sys.stderr)
    return None


def _new_folder(out, device):
    """Make <device>-<date>, with a number behind it from the second run of a day on; return it."""
    name = re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-") + f"-{date.today().isoformat()}"
    number = 1
    while True:
        folder = out / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            number += 1


def _parse(argv):
    parser = argparse.ArgumentParser("make gpu", description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT, help=f"folder of the records; default {OUT}")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help=f"of all parts; default {SECONDS}"
    )
    parser.add_argument(
        "--parts", nargs="+", choices=("parity", "tests", "benchmarks"), help="default: all"
    )
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: a rehearsal")
    parser.add_argument(
        "--tiny", action="store_true", help="a few cases of each part, to try the command"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
