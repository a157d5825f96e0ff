"""Peak memory, one process per contestant: python -m benchmarks.memory KIND NUMBER NAME DEVICE.

First a small piece of the same work is run, so that compiled code and threads exist; then the inputs are
made. The peak growth of the resident memory from then on is the work's own memory.
"""

import gc
import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from . import peak, workloads
from .contestants import ATTENTION, STEP, SWIN_BLOCK, SWIN_STEP, make

ROOT = Path(__file__).parents[1]
TIMES = 3
WHO = ("numpy", "numba", "torch eager", "torch sdpa")
SWIN_WHO = (*WHO, "timm eager", "timm sdpa", "torchvision", "transformers sdpa")
QUICK_SWIN_WHO = ("numba", "torch eager")


@dataclass(frozen=True)
class Kind:
    """works: what is measured; places: its contestants; small(work): a small piece of the same work."""

    works: tuple
    places: dict
    small: Callable


KINDS = {
    "attention": Kind(workloads.MEMORY, ATTENTION, lambda work: replace(work, window=7, batch=8)),
    "vit": Kind((workloads.Step(),), STEP, lambda work: replace(work, batch=2)),
    "swin block": Kind(workloads.SWIN_BLOCKS, SWIN_BLOCK, lambda work: replace(work, batch=1)),
    "swin step": Kind(workloads.SWIN_MEMORY, SWIN_STEP, lambda work: replace(work, batch=1)),
}


@dataclass(frozen=True)
class Memory:
    """Peak memory of one process in MiB.

    own: beyond imports and inputs; None where the system does not report it.
    whole: of the whole process; on CUDA, of all allocated tensors.
    absent: why neither could be measured.
    """

    kind: str
    work: str
    contestant: str
    tokens: int
    own: float | None
    whole: float | None
    absent: str | None = None


@dataclass(frozen=True)
class Entry:
    """A process to run; kind: of KINDS, whose works `number` indexes."""

    kind: str
    number: int
    contestant: str
    suite: str = "memory"

    @property
    def label(self):
        return f"memory: {work_of(self.kind, self.number).name}, {self.contestant}"


def entries(settings):
    lengths = workloads.QUICK_MEMORY if settings.quick else workloads.MEMORY
    found = [Entry("attention", n, name) for n in range(len(lengths)) for name in WHO]
    return found + [Entry("vit", 0, name) for name in WHO]


def of_swin(settings):
    """Return the entries of the suite "swin"."""
    if settings.quick:
        return [Entry("swin step", 0, name, "swin") for name in QUICK_SWIN_WHO]
    kinds = ("swin block", "swin step")
    works = [(kind, number) for kind in kinds for number in range(len(KINDS[kind].works))]
    return [Entry(*work, name, "swin") for work in works for name in SWIN_WHO]


def run(entry, settings):
    """Run the entry's process and return its Memory, or one that says why it failed."""
    arguments = [entry.kind, str(entry.number), entry.contestant, settings.device]
    command = [sys.executable, "-m", "benchmarks.memory", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        last = done.stderr.strip().rpartition("\n")[2] or f"exit code {done.returncode}"
        work = work_of(entry.kind, entry.number)
        return Memory(entry.kind, work.name, entry.contestant, work.tokens, None, None, last)
    return Memory(**json.loads(done.stdout.splitlines()[-1]))


def work_of(kind, number):
    return KINDS[kind].works[number]


def measure(kind, number, name, device):
    """Do the work in this process and return its Memory."""
    work = work_of(kind, number)
    _do(_contestant(kind, KINDS[kind].small(work), name, device), 1)
    _give_back(name)
    contestant = _contestant(kind, work, name, device)
    gc.collect()
    began = peak.start(name, device)
    _do(contestant, TIMES)
    return Memory(kind, work.name, name, work.tokens, *peak.since(began))


def _give_back(name):
    """Free what the small piece has left in the kernels' store of memory."""
    gc.collect()
    if name == "numba":
        importlib.import_module("numpy_ref.kernels.machine.buffers").clear()


def _do(contestant, times):
    with contestant.within():
        for _ in range(times):
            contestant.run()


def _contestant(kind, work, name, device):
    return make(KINDS[kind].places, name, work, workloads.inputs_of(work), True, device)


if __name__ == "__main__":
    kind, number, name, device = sys.argv[1:]
    print(json.dumps(asdict(measure(kind, int(number), name, device))))
