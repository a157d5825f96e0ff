"""One mutant's tests in a process of their own, forked from one that has the packages imported."""

import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest

from .calls import ROOT

SITE = Path(__file__).parent / "site"
MEMORY = 16 << 30
FACTOR, LEAST, COMPILING = 20, 20, 120  # seconds of the processor
WALL = 1800  # seconds: threads that wait for each other take none of the processor's


class Runner:
    """A pytest plugin: only these tests, in this order; remembers what turned red."""

    def __init__(self, tests, seconds, more):
        self.order = {test: n for n, test in enumerate(tests)}
        self.seconds, self.more = seconds, more
        self.red = None

    def pytest_collection_modifyitems(self, items):
        items[:] = [item for item in items if item.nodeid in self.order]
        items.sort(key=lambda item: self.order[item.nodeid])

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item):
        """The kernel ends the process when the time is up, in the middle of a jitted loop too."""
        seconds = LEAST + self.more + FACTOR * self.seconds[item.nodeid]
        signal.setitimer(signal.ITIMER_PROF, seconds)

    def pytest_exception_interact(self, node, call, report):
        error = call.excinfo.value
        value = isinstance(error, AssertionError | pytest.fail.Exception)
        first = (str(error).splitlines() or [""])[0][:160]
        self.red = {
            "killed": "value" if value else "exception",
            "test": node.nodeid,
            "why": f"{type(error).__name__}: {first}",
        }


def trial(mutant, tests, seconds, compiles):
    """{"killed": "exception", "value", "time" or None, …} of running the tests until one is red."""
    folder = Path(tempfile.mkdtemp(prefix="mutant-"))
    try:
        begin = time.monotonic()
        child = os.fork()
        if child == 0:
            _child(mutant, tests, seconds, compiles, folder)
        status = _wait(child, begin + WALL)
        return _verdict(status, folder) | {"seconds": round(time.monotonic() - begin, 1)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _child(mutant, tests, seconds, compiles, folder):
    try:
        os.setpgid(0, 0)
        output = os.open(folder / "output", os.O_CREAT | os.O_WRONLY)
        os.dup2(output, 1)
        os.dup2(output, 2)
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _plant(mutant, compiles, folder)
        runner = Runner(tests, seconds, COMPILING if compiles else 0)
        signal.setitimer(signal.ITIMER_PROF, 120)  # importing and collecting
        files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
        code = pytest.main(
            ["-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0", *files], plugins=[runner]
        )
        red = runner.red or {
            "killed": None if code == 0 else "exception",
            "why": f"pytest ended with {code}",
        }
        (folder / "verdict").write_text(json.dumps(red))
    finally:
        os._exit(0)


def _plant(mutant, compiles, folder):
    """From here on this process and those it begins import the mutant."""
    text, module = folder / "mutant.py", mutant.file.removesuffix(".py").replace("/", ".")
    text.write_text(mutant.text)
    os.environ["MUTANT"] = f"{module.removesuffix('.__init__')}={text}"
    os.environ["PYTHONPATH"] = os.pathsep.join(map(str, (SITE, ROOT)))
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(folder / "hypothesis")
    if compiles:
        import numba

        os.environ["NUMBA_CACHE_DIR"] = numba.config.CACHE_DIR = str(folder / "compiled")
    sys.dont_write_bytecode = True
    sys.path[:0] = [str(SITE)]
    import sitecustomize  # noqa: F401


def _wait(child, until):
    """The child's status, or None when it had to be ended; what it began ends with it."""
    done = status = 0
    while not done and time.monotonic() < until:
        time.sleep(0.05)
        done, status = os.waitpid(child, os.WNOHANG)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if not done:
        os.waitpid(child, 0)
    return status if done else None


def _verdict(status, folder):
    if status is None or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF):
        return {"killed": "time", "why": "its time was up"}
    if os.WIFSIGNALED(status):
        return {"killed": "exception", "why": f"ended by {signal.Signals(os.WTERMSIG(status)).name}"}
    if not (folder / "verdict").exists():
        return {"killed": "exception", "why": "the process left"}
    return json.loads((folder / "verdict").read_text())
