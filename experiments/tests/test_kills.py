"""The short form of kills.py: a dozen kills of a NumPy ViT, half as many of a PyTorch Swin."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("backend", "model", "kills", "every"), [("numpy", "vit", 4, 8), ("torch", "swin", 2, 19)]
)
def test_killed_runs_resume_to_the_same_bits(backend, model, kills, every):
    """Run kills.py in a new process, since a process with threads must not fork."""
    command = [sys.executable, "-m", "experiments.tests.kills", "--backend", backend]
    command += ["--model", model, "--kills", str(kills), "--every", str(every)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{kills} of {kills} at a random moment resumed" in done.stdout
