"""The fuzzer reports each kind of fault: faults are planted one at a time."""

import ast
import inspect
import json
import os
import subprocess
import sys

import pytest
from hypothesis import given, settings

import numpy_ref.ops
import torch_impl.ops

from ..process import ROOT
from .__main__ import environment
from .call import parse
from .draw import calls
from .planted import PLANTS
from .specs import OPS, TARGETS


@pytest.fixture(scope="module")
def reported():
    """Return {plant: kinds of faults that were reported}."""
    command = [sys.executable, "-m", "parity_tests.fuzz.planted"]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment("end"), stdout=subprocess.PIPE, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_planted_fault_is_reported(reported, plant):
    if plant.__name__ == "writes_past_a_small_array" and "LD_PRELOAD" not in environment("end"):
        pytest.skip("this system's C library has no malloc checks")
    assert PLANTS[plant][2] in reported[plant.__name__]


def test_without_a_fault_nothing_is_reported(reported):
    assert reported["nothing"] == reported["nothing, Fortran order"] == []


def test_a_run_goes_on_after_a_crash(reported):
    calls, crashes = reported["goes on"]
    assert calls == 5 and crashes >= 4  # a bad argument may be refused before the plant reads


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(calls())
def test_a_call_is_its_text(drawn):
    """A call parsed from its own text is the same, so the report's text repeats the same call."""
    _, call = drawn
    again = parse(str(call))
    assert again.spoilt == call.spoilt
    assert [name for name, _ in again.steps] == [name for name, _ in call.steps]
    for (_, read), (_, written) in zip(again.steps, call.steps, strict=True):
        assert read == {
            name: ast.unparse(ast.parse(text, mode="eval")) for name, text in written.items()
        }


def test_every_op_is_in_the_table():
    described = {target.name for target in OPS}
    ours = {name.removesuffix("_forward") for name in numpy_ref.ops.__all__ if name[0].islower()}
    theirs = {name for name in torch_impl.ops.__all__ if name[0].islower()} - {"use_ops"}
    assert ours - {name for name in ours if name.endswith("_backward")} <= described
    assert theirs <= described


def test_every_argument_is_in_the_table():
    """The rows of each op together have every parameter."""
    arguments = {}
    for target in OPS:
        arguments.setdefault(target.name, set()).update(target.steps[0][1])
    for name, found in arguments.items():
        function = getattr(numpy_ref.ops, f"{name}_forward", None) or getattr(numpy_ref.ops, name)
        assert set(inspect.signature(function).parameters) == found, name


def test_there_are_targets_of_each_kind():
    assert {target.kind for target in TARGETS} == {"op", "module", "trainer"}
