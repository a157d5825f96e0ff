"""A short run of the fuzzer; `make fuzz` is a long one."""

import subprocess
import sys

import pytest

from ..process import ROOT


@pytest.mark.slow
def test_a_short_run_finds_nothing():
    command = [sys.executable, "-m", "parity_tests.fuzz", "400"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stdout
