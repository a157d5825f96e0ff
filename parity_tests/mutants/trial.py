"""Run one mutant's tests in a process forked from one that has imported the packages."""

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
# A test may take FACTOR times its usual seconds, and LEAST more; all but FACTOR in processor seconds.
FACTOR, LEAST, COMPILING, COLLECTING = 20, 20, 120, 120
WALL = 1800  # seconds on the clock, for deadlocks: waiting threads use no processor time
OVER = (signal.SIGPROF, signal.SIGALRM)


class Runner:
    """A pytest plugin that runs only these tests, in this order, and keeps the first red one."""

    def __init__(self, tests, seconds, more):
        self.order = {test: n for n, test in enumerate(tests)}
        self.seconds, self.more = seconds, more
        self.red = None

    def pytest_collection_modifyitems(self, items):
        items[:] = [item for item in items if item.nodeid in self.order]
        items.sort(key=lambda item: self.order[item.nodeid])

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item):
        """Limit the test's time by a signal, which ends the process even within a jitted loop."""
        _limit(LEAST + self.more + FACTOR * self.seconds[item.nodeid])

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
    """Run the tests until one is red; return {"killed": "exception", "value", "time" or None, …}."""
    if not tests:
        return {"killed": None, "why": "no test calls it", "seconds": 0.0}
    folder = Path(tempfile.mkdtemp(prefix="mutant-"))
    try:
        begin = time.monotonic()
        child = os.fork()
        if child == 0:
            _child(mutant, tests, seconds, compiles, folder)
        status = os.waitpid(child, 0)[1]
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # processes that its tests may have left behind
        return _verdict(status, folder) | {"seconds": round(time.monotonic() - begin, 1)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _child(mutant, tests, seconds, compiles, folder):
    try:
        os.setpgid(0, 0)
        output = os.open(folder / "output", os.O_CREAT | os.O_WRONLY)
        os.dup2(output, 1)
        os.dup2(output, 2)
        for number in OVER:
            signal.signal(number, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _plant(mutant, compiles, folder)
        runner = Runner(tests, seconds, COMPILING if compiles else 0)
        _limit(COLLECTING)
        files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
        code = pytest.main(
            ["-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0", *files], plugins=[runner]
        )
        red = runner.red or {
            "killed": None if code in (0, 5) else "exception",  # 5: pytest found none of the tests
            "why": f"pytest ended with {code}",
        }
        (folder / "verdict").write_text(json.dumps(red))
    finally:
        os._exit(0)


def _plant(mutant, compiles, folder):
    """Make this process and those it starts import the mutant."""
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


def _limit(seconds):
    """Limit what comes next to so many seconds of processor time."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, WALL)


def _verdict(status, folder):
    if os.WIFSIGNALED(status):
        number = signal.Signals(os.WTERMSIG(status))
        return {"killed": "time" if number in OVER else "exception", "why": f"ended by {number.name}"}
    if not (folder / "verdict").exists():
        return {"killed": "exception", "why": "the process left"}
    return json.loads((folder / "verdict").read_text())
