"""The short form of kills.py: a dozen kills of a NumPy run, half as many of a PyTorch one."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("backend", "kills", "every"), [("numpy", 4, 8), ("torch", 2, 19)])
def test_killed_runs_resume_to_the_same_bits(backend, kills, every):
    """Run kills.py in a new process, since a process with threads must not fork."""
    command = [sys.executable, "-m", "experiments.tests.kills", "--backend", backend]
    command += ["--kills", str(kills), "--every", str(every)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{kills} of {kills} at a random moment resumed" in done.stdout
