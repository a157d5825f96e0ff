"""The mutation tool: which bugs it finds in a source, which it draws, and how it plants them."""

import textwrap
from types import FunctionType, SimpleNamespace

import pytest
from numba import njit
from numba.extending import overload

from .mutants.__main__ import drawn
from .mutants.calls import Recorder
from .mutants.plant import mutants_of
from .mutants.trial import SITE
from .process import ROOT, python

SOURCE = textwrap.dedent('''
    """A docstring with 1 in it."""
    LIMIT = 3

    class Window:
        @property
        def area(self) -> int:
            if self.height < LIMIT:
                raise ValueError(f"height is {self.height - 1}")
            self.seen += 1
            return product(self.height, self.width, scale=True)[1:]
''').lstrip()


def changes(source):
    """Return {(function, mutated line)} of the mutants of a source."""
    return {(m.function, m.lines[1]) for m in mutants_of("file.py", source)}


def test_what_can_be_planted():
    method = "Window.area"
    call = "return product(self.height, self.width, scale=True)[1:]"
    assert changes(SOURCE) == {
        ("", "LIMIT = 4"),
        ("", "LIMIT = (2)"),
        (method, "if self.height <= LIMIT:"),
        (method, "if not (self.height < LIMIT):"),
        (method, "if False:"),
        (method, "self.seen = 1"),
        (method, "self.seen += 2"),
        (method, "self.seen += (0)"),
        (method, call.replace("self.height", "self.width")),
        (method, call.replace("self.width", "self.height")),
        (method, call.replace("self.height, self.width", "self.width, self.height")),
        (method, call.replace("True", "False")),
        (method, call.replace("True", "None")),
        (method, call.replace("1", "")),
        (method, call.replace("1", "2")),
        (method, call.replace("1", "(0)")),
        (method, call.replace("1", "1 + 1")),
    }


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("x = a @ b", "x = (b @ a)"),
        ("x = (a) - (b)", "x = (a) + (b)"),
        ("x = a ** b", "x = a * b"),
        ("x = a is not b", "x = a is b"),
        ("x = a < b <= c", "x = a < b < c"),
        ("x = a and b or c", "x = a and b and c"),
        ("x = not a", "x = (a)"),
        ("x = -a", "x = (a)"),
        ("x = [a for a in b if a]", "x = [a for a in b if True]"),
        ("x = 0.5", "x = 1.0"),
        ("x[0] = a", "pass"),
        ("f(a)", "pass"),
        ("x = größe + a", "x = größe - a"),
    ],
)
def test_each_kind_of_bug(was, now):
    assert ("", now) in changes(was + "\n")


def test_a_draw_is_valid_python_and_goes_on():
    """A larger draw begins with the smaller one, no mutant occurs twice, and each compiles."""
    files = {"file.py": SOURCE}
    few, many = (drawn(files, number, 0) for number in (5, 12))
    assert [m.key for m in many[:5]] == [m.key for m in few]
    assert len({m.key for m in many}) == 12
    assert [m.key for m in few] != [m.key for m in drawn(files, 5, 1)]
    for mutant in many:
        compile(mutant.text, "file.py", "exec")
        assert mutant.text != SOURCE


def test_a_mutant_stands_in_for_its_module(tmp_path):
    """A new process imports the mutant, though the project's file is unchanged."""
    source = (ROOT / "numpy_ref/ops/relu.py").read_text()
    (tmp_path / "relu.py").write_text(source.replace("np.maximum(x, 0)", "np.maximum(x, 7)"))
    code = "import numpy as np, numpy_ref.ops as ops; print(ops.relu_forward(np.zeros(2))[0].tolist())"
    paths = {"PYTHONPATH": f"{SITE}:{ROOT}"}
    assert python(code) == "[0.0, 0.0]\n"
    assert python(code, MUTANT=f"numpy_ref.ops.relu={tmp_path / 'relu.py'}", **paths) == "[7.0, 7.0]\n"


def twice(x):
    return 2 * x


@overload(twice)
def compiled_twice(x):
    return lambda x: 2 * x


def recorded(calls):
    """Return [(file, function)] that the recorder saw, in either twin and in the tests."""
    recorder = Recorder(["numpy_ref", "torch_impl", "parity_tests"])
    protocol = recorder.pytest_runtest_protocol(SimpleNamespace(nodeid="test"))
    next(protocol)
    calls()
    protocol.close()
    return recorder.tests["test"][1]


def test_what_runs_while_numba_compiles_is_not_called():
    """A function that runs only during compilation does not run when the kernels are on disk."""
    called = recorded(lambda: njit(lambda x: twice(x))(twice(3)))
    assert ("parity_tests/test_mutants.py", "twice") in called
    assert ("parity_tests/test_mutants.py", "compiled_twice") not in called


def test_functions_that_are_alike_in_both_twins_are_told_apart():
    """Code objects that differ only in their file are equal in Python, but must be recorded apart."""
    files = [f"{twin}/alike.py" for twin in ("numpy_ref", "torch_impl")]
    alike = [FunctionType(compile("0", str(ROOT / file), "eval"), {}) for file in files]
    assert alike[0].__code__ == alike[1].__code__
    called = recorded(lambda: [function() for function in alike])
    assert {(file, "<module>") for file in files} <= {*called}
