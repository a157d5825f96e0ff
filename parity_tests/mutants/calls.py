"""Which tests call which function of the project, and how long each takes: all run once, unmutated."""

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
DRAWING = ("compare", "gallery", "plots")  # call much and hold little of it against anything
ROOT = Path(__file__).parent.parent.parent
SIGNATURES = "parity_tests/test_api.py"  # looks at every function's defaults and calls few
ALONE = 100  # where a file has fewer tests, one may see what another has had computed


class _Compilations(event.Listener):
    """How many of numba's compilations are going on; they nest."""

    running = 0

    def on_start(self, event):
        self.running += 1

    def on_end(self, event):
        self.running -= 1


class Recorder:
    """A pytest plugin: {test: [seconds, [(file, function)]]} of the tests that are green.

    What runs while numba compiles is not called: the next process finds its result on disk.
    """

    def __init__(self, folders):
        self.folders = tuple(str(ROOT / folder) for folder in folders)
        self.tests, self.red, self._called, self._known = {}, [], set(), {}
        self._compilations = _Compilations()

    def _trace(self, frame, what, argument):
        if not self._compilations.running:
            code = frame.f_code  # equal to that of the other twin where they are written alike
            self._called.add((code.co_filename, code.co_qualname))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        self._called.clear()
        begin = time.monotonic()
        sys.settrace(self._trace)
        threading.settrace(self._trace)
        try:
            with event.install_listener("numba:compile", self._compilations):
                return (yield)
        finally:
            sys.settrace(None)
            threading.settrace(None)
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

    One that is red without a mutant says nothing of one and is left out.
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
    """{name: text}"""
    paths = [p for pattern in FILES for p in ROOT.glob(pattern) if p.stem[len("test_") :] not in DRAWING]
    return {str(p.relative_to(ROOT)): p.read_text() for p in sorted(paths)}


def _digest(text):
    """Of a test file, and of the table of cases where it reads it."""
    cases = sorted((ROOT / "parity_tests/cases").glob("*.py")) if "cases" in text else []
    return hashlib.sha256("".join([text, *(p.read_text() for p in cases)]).encode()).hexdigest()


class Calls:
    """What `record` has written, the other way round."""

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
        """In the order to run them: those that call the function, or else its file or its importers.

        What runs when a module is imported and what is jitted is not seen to be called. Of a small file
        the other tests follow: they may see what one of these has had computed.
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
        """Tests of one op come before those of a model."""
        return self.size[test], self.seconds[test]

    def within(self, most, tests):
        """The first of the tests, as many as take so many seconds."""
        sums = accumulate(self.seconds[test] for test in tests)
        return [test for test, seconds in zip(tests, sums, strict=True) if seconds <= most]
