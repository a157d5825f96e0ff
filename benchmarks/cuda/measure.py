"""Measure a contestant: judge it on a small piece by the parity tests' budget, then time the work."""

import gc
import time
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from parity_tests import budget
from parity_tests.rounded import RandomRounding
from parity_tests.run import given_of, run_numpy
from parity_tests.run_torch import TORCH_DTYPES
from parity_tests.yardstick import yardsticks

from ..race import reason
from . import clock, contestants

DRAWS = 4  # random roundings of plain NumPy, as in benchmarks.race
NO_MEMORY = "out of memory"


@dataclass(frozen=True)
class Entry:
    """What is measured; dtype: its name; backward: with the gradients of all inputs and parameters."""

    work: object
    dtype: str
    backward: bool
    contestant: str

    @property
    def part(self):
        return "forward + backward" if self.backward else "forward"

    @property
    def label(self):
        return f"{self.work.suite}, {self.work.name}, {self.dtype}, {self.part}: {self.contestant}"


@dataclass(frozen=True)
class Line:
    """The result of an entry.

    seconds: of each timed call. first: of the call that compiles. peak: bytes that a call allocates at
    most beyond the inputs, None on a CPU. tensor, share: the worst of the check. absent: why there are
    no numbers. broken: the process cannot go on.
    """

    seconds: tuple = ()
    first: float | None = None
    peak: int | None = None
    tensor: str | None = None
    share: float | None = None
    absent: str | None = None
    broken: bool = False

    @property
    def right(self):
        return self.share is not None and bool(self.share <= 1)

    @property
    def median(self):
        return float(np.median(self.seconds)) if self.seconds else None


def measure(entry, device):
    """Return the entry's Line; nothing is raised."""
    try:
        return _measured(entry, device)
    except torch.OutOfMemoryError:
        return Line(absent=NO_MEMORY)
    except Exception as error:  # compilers and other packages raise what they like
        return Line(absent=reason(error), broken=_lost(device))
    finally:
        _give_back(device)


def _measured(entry, device):
    began = time.perf_counter()
    worst = judge(entry, device)
    _finish(device)
    first = time.perf_counter() - began
    if not worst.ok:
        what = f"over budget: {worst.tensor} uses {worst.budget_share:.0%}"
        return Line(first=first, tensor=worst.tensor, share=worst.budget_share, absent=what)
    given = entry.work.inputs(TORCH_DTYPES[entry.dtype], device)
    held = clock.in_use(device)
    run = _run(entry, given, None, device)
    run()
    _, most = clock.peak_of(run, device)
    seconds = clock.seconds_of(run, device)
    peak = None if most is None else most - held
    return Line(tuple(seconds), first, peak, worst.tensor, worst.budget_share)


def judge(entry, device):
    """Return the budget.Row of the worst tensor of the small piece."""
    work, kind = entry.work.small(), TORCH_DTYPES[entry.dtype]
    given, costs, dout = truth_of(work, entry.dtype)
    inputs = {name: torch.tensor(a, dtype=kind, device=device) for name, a in given.inputs.items()}
    inputs["dout"] = torch.tensor(dout, dtype=kind, device=device)
    state = {name: torch.tensor(a, dtype=kind) for name, a in given.state.items()} or None
    found = {name: _array(x) for name, x in _run(entry, inputs, state, device, work)().items()}
    names = costs.keys() if entry.backward else {"out"}
    if found.keys() != set(names):
        (*_, odd) = sorted(found.keys() ^ set(names))
        return budget.Row(odd, np.inf, np.inf)
    rows = [budget.within_rounding(name, costs[name], found[name]) for name in names]
    return max(rows, key=lambda row: (not row.ok, row.budget_share))


@cache
def truth_of(work, dtype):
    """Return the small piece's Given, {name: Yardstick} and the gradient of its output."""
    given = given_of(work.case(), dtype)
    truth = run_numpy(given, "float64", "numpy")
    costs = yardsticks(truth, lambda r: run_numpy(given, arithmetic=RandomRounding(r)), dtype, DRAWS)
    (dout,) = given.cotangents([truth["out"]])
    return given, costs, dout


def _run(entry, given, state, device, work=None):
    """Return a function that computes {name: tensor}: "out", and the gradients if backward."""
    work = entry.work if work is None else work
    for name in given.keys() - {"dout", "index"}:
        given[name].requires_grad_(entry.backward)
    call, leaves = contestants.make(entry.contestant, work, given, state, device)

    def forward():
        with torch.no_grad():
            return {"out": call()}

    def both():
        out = call()
        grads = torch.autograd.grad(out, list(leaves.values()), given["dout"])
        return {"out": out.detach()} | dict(zip(leaves, grads, strict=True))

    return both if entry.backward else forward


def _array(x):
    return x.detach().to("cpu", torch.float64).numpy()


def _finish(device):
    if device == "cuda":
        torch.cuda.synchronize()


def _lost(device):
    """Return whether the device no longer answers: an error within a kernel stays with the process."""
    try:
        _finish(device)
    except RuntimeError:
        return True
    return False


def _give_back(device):
    gc.collect()  # an error's traceback holds tensors
    if device == "cuda" and not _lost(device):
        torch.cuda.empty_cache()
