"""Record which tests call which function of the project and how long they take, without a mutant."""

import hashlib
import json
import sys
import threading
import time
from collections import defaultdict
from itertools import accumulate
from pathlib import Path

import pytest
from numba.core import event

FILES = ("parity_tests/test_*.py", "experiments/tests/test_*.py")
DRAWING = ("compare", "gallery", "plots")  # left out: they call many functions and check few results
ROOT = Path(__file__).parent.parent.parent
SIGNATURES = "parity_tests/test_api.py"  # checks the defaults of functions that it does not call
ALONE = 100  # tests in a file with fewer than these may share a fixture's results


class _Compilations(event.Listener):
    """Counts numba's compilations that are running; they nest."""

    running = 0

    def on_start(self, event):
        self.running += 1

    def on_end(self, event):
        self.running -= 1


class Recorder:
    """A pytest plugin that records tests {test: [seconds, [(file, function)]]}, and the red ones.

    Functions that run while numba compiles do not count as called, since in later processes, which load
    the code from disk, they do not run.
    """

    def __init__(self, folders):
        self.folders = tuple(str(ROOT / folder) for folder in folders)
        self.tests, self.red, self._called, self._known = {}, [], set(), {}
        self._compilations = _Compilations()

    def _trace(self, frame, what, argument):
        if not self._compilations.running:
            # The names and not the code, as equal functions of both twins have equal code objects.
            code = frame.f_code
            self._called.add((code.co_filename, code.co_qualname))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        self._called.clear()
        begin = time.monotonic()
        before = sys.gettrace(), threading.gettrace()  # coverage's, maybe
        sys.settrace(self._trace)
        threading.settrace(self._trace)
        try:
            with event.install_listener("numba:compile", self._compilations):
                return (yield)
        finally:
            sys.settrace(before[0])
            threading.settrace(before[1])
            called = filter(None, map(self._name, self._called.copy()))  # helpers may still be adding
            self.tests[item.nodeid] = [time.monotonic() - begin, sorted(set(called))]

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.red.append(report.nodeid)

    def _name(self, called):
        path, function = called
        if path not in self._known:
            inside = path.startswith(self.folders)
            self._known[path] = str(Path(path).relative_to(ROOT)) if inside else None
        return self._known[path] and (self._known[path], function)


def record(folders, to):
    """Run the tests whose files are new or have changed, and write what they call.

    A test that is red without a mutant is left out.
    """
    known = json.loads(to.read_text()) if to.exists() else {}
    digests = {name: _digest(text) for name, text in _test_files().items()}
    stale = [name for name in digests if known.get(name, {}).get("digest") != digests[name]]
    if not stale and known.keys() == digests.keys():
        return
    recorder = Recorder(folders)
    pytest.main(["-q", "-p", "no:cacheprovider", *stale], plugins=[recorder])
    for test in recorder.red:
        recorder.tests.pop(test, None)
        print(f"left out, since it is red without a mutant: {test}")
    known = {name: known[name] for name in digests if name not in stale}
    for name in stale:
        known[name] = {"digest": digests[name], "tests": {}}
    for test, called in recorder.tests.items():
        known[_file(test)]["tests"][test] = called
    to.write_text(json.dumps(known))


def _file(test):
    return test.partition("::")[0]


def _test_files():
    """Return {file: text} of the test files to record."""
    paths = [p for pattern in FILES for p in ROOT.glob(pattern) if p.stem[len("test_") :] not in DRAWING]
    return {str(p.relative_to(ROOT)): p.read_text() for p in sorted(paths)}


def _digest(text):
    """Return the digest of a test file and, if it uses the table of cases, of that table."""
    cases = sorted((ROOT / "parity_tests/cases").glob("*.py")) if "cases" in text else []
    return hashlib.sha256("".join([text, *(p.read_text() for p in cases)]).encode()).hexdigest()


class Calls:
    """The tests that call each function and each file, from what `record` wrote."""

    def __init__(self, path):
        files = json.loads(path.read_text()).values()
        tests = {test: called for file in files for test, called in file["tests"].items()}
        self.seconds = {test: seconds for test, (seconds, _) in tests.items()}
        self.size = {test: len(called) for test, (_, called) in tests.items()}
        self.beside = defaultdict(set)
        for test in tests:
            self.beside[_file(test)].add(test)
        self.of_function, self.of_file = defaultdict(set), defaultdict(set)
        for test, (_, called) in tests.items():
            for file, function in called:
                name = function.partition(".<locals>.<")[0].removesuffix(".<lambda>")
                self.of_function[file, name].add(test)
                self.of_file[file].add(test)

    def tests_of(self, mutant, importers, only=None):
        """Return the tests for a mutant, in the order to run them.

        First those that call the function. If there are none (calls of jitted functions and at import
        are not recorded), those that call its file or its importers. Then the other tests of the same
        small test files, since they may share a fixture's results.
        """
        tests = self.of_function.get((mutant.file, mutant.function))
        if tests:
            order = sorted(tests | self.beside[SIGNATURES], key=self.seconds.get)
        else:
            layers = [set().union(*(self.of_file[file] for file in files)) for files in importers]
            order = list(
                dict.fromkeys(test for tests in layers for test in sorted(tests, key=self._width))
            )
        beside = (self.beside[file] for file in dict.fromkeys(map(_file, order)))
        order += [test for tests in beside if len(tests) < ALONE for test in sorted(tests - {*order})]
        return [test for test in order if only is None or _file(test) in only]

    def _width(self, test):
        """Return a sort key that puts tests of one op before those of a model."""
        return self.size[test], self.seconds[test]

    def within(self, most, tests):
        """Return the first tests that together take at most so many seconds."""
        sums = accumulate(self.seconds[test] for test in tests)
        return [test for test, seconds in zip(tests, sums, strict=True) if seconds <= most]
