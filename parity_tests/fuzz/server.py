"""Make calls in child processes, so that a crash or a hang becomes a line in the report.

A child writes each call into a pipe before it makes it. What takes long to load is loaded before the
fork, with one thread, since threads do not survive a fork.
"""

import contextlib
import faulthandler
import json
import os
import resource
import select
import signal
import sys
import traceback
from collections import Counter
from pathlib import Path

import numpy as np
import torch
import torch._dynamo  # loaded here once; torch.optim would load it in every child
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded

import numpy_ref
from numpy_ref.kernels import ahead

from .call import SenselessError, parse
from .draw import OFTEN, calls
from .judge import judge
from .report import Report
from .shrink import shrink
from .specs import TARGETS

SILENCE = 120  # seconds without a line after which a child counts as hanging
SHRUNK = 40  # the number of sorts of faults for which a smaller call is searched
BATCH = 400  # calls per child
MEMORY = 3 << 30  # bytes that a child may allocate


def fuzz(number, seed=0, targets=None, silence=SILENCE):
    """Make so many random calls and return the Report; targets: names, or None for all."""
    _load()
    report = Report()
    while report.calls < number:
        before = report.calls
        _child(min(BATCH, number - report.calls), seed, targets, silence, report)
        if report.calls == before:  # the child failed before its first call; the report has the reason
            break
        seed += 1
    return report


def shrunk(report, silence=SILENCE):
    """Return the report with smaller calls for SHRUNK sorts of faults, except hangs and valid calls."""
    small = Report(report.calls, report.counts)
    for place, ((kind, where, _), (count, text, detail)) in enumerate(report.sorts().items()):
        details = {text: detail}

        def fails(candidate, sort=(kind, where), details=details):
            found = {key[:2]: why for key, (_, _, why) in replay(candidate, silence).faults.items()}
            details[candidate] = found.get(sort)
            return sort in found

        if kind not in ("hang", "valid refused") and place < SHRUNK:
            text = shrink(text, fails)
        small.add(kind, where, text, details[text], count)
    return small


def replay(text, silence=SILENCE):
    """Make the one call of this text and return the Report."""
    report = Report()
    _fork(lambda write: _replay(text, write), silence, report)
    return report


def _load():
    numpy_ref.set_num_threads(1)
    for dtype in ("float32", "float64"):
        ahead.compile_attention(dtype)
        ahead.compile_rest(np.dtype(dtype).type)


def _child(count, seed, targets, silence, report):
    _fork(lambda write: _draw(count, seed, targets, write), silence, report)


def _fork(work, silence, report):
    """Run work(write) in a child; put what it writes and how it ends into the report."""
    read, write = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if not child:
        os.close(read)
        _become_child(work, write)
    os.close(write)
    last, hung = _listen(read, silence, report)
    os.close(read)
    if hung:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if hung:
        report.add("hang", last["at"], last["call"], f"no sign of life for {silence} s")
    elif os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        report.add("crash", last["at"], last["call"], name)
    elif os.waitstatus_to_exitcode(status):
        report.add("harness", last["at"], last["call"], "the harness itself failed; see above")


def _become_child(work, write):
    code = 1
    try:
        faulthandler.disable()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _limit_memory()
        work(lambda **line: os.write(write, (json.dumps(line) + "\n").encode()))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _limit_memory():
    """Limit the child's memory, so that absurd sizes raise MemoryError at once."""
    if sys.platform == "linux":
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))


def _listen(read, silence, report):
    """Read the child's lines; return ({"call", "at"} of the last call, whether the child hangs)."""
    last, rest = {"call": "nothing yet", "at": ""}, b""
    while True:
        ready, _, _ = select.select([read], [], [], silence)
        if not ready:
            return last, True
        chunk = os.read(read, 1 << 16)
        if not chunk:
            return last, False
        *lines, rest = (rest + chunk).split(b"\n")
        for line in map(json.loads, lines):
            if "call" in line:
                report.calls += 1
                last = {"call": line["call"], "at": "drawn"}
            elif "at" in line:
                last["at"] = line["at"]
            else:
                report.counts.update(line["counts"])
                for kind, where, detail in line["faults"]:
                    report.add(kind, where, last["call"], detail)


def _draw(count, seed, targets, write):
    chosen = tuple(t for t in OFTEN if targets is None or t.name in targets)
    _threads(1 + seed % 2)

    @seeded(seed)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(calls(chosen))
    def one(drawn):
        _make(*drawn, write)

    with contextlib.redirect_stdout(sys.stderr):
        one()


def _replay(text, write):
    call = parse(text)
    chain = {name for name, _ in call.steps}
    fitting = [t for t in TARGETS if t.name == call.target and chain <= {name for name, _ in t.steps}]
    if not fitting:
        raise ValueError(f"no target {call.target} has the steps {', '.join(chain)}")
    _make(fitting[0], call, write)


def _make(target, call, write):
    """Make one call and write its outcome."""
    write(call=str(call))
    try:
        traces, found = judge(target, call, lambda at: write(at=at))
    except SenselessError:
        write(counts={"not made": 1}, faults=[])
        return
    counts = Counter(step.kind for trace in traces.values() for step in trace)
    write(counts=counts, faults=[(v.kind, v.where, v.detail) for v in found])


def _threads(count):
    torch.set_num_threads(1)
    numpy_ref.set_num_threads(count)
