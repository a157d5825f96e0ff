"""One small run of each twin, which the tests of runs copy and damage."""

import shutil

import numpy as np
import pytest
from convert_files import floats, safetensors
from hypothesis import HealthCheck, settings
from small_runs import BACKENDS, SMALL, interrupt, refused, start

from experiments import metrics
from experiments.convert.__main__ import main as convert
from experiments.train import main
from numpy_ref.dispatch import default_ops
from numpy_ref.kernels import ahead

# no test has a time limit that a busy machine exceeds
settings.register_profile("no limit", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no limit")


@pytest.fixture(scope="session", autouse=True)
def kernels_on_disk():
    """Compile the kernels before the first test, so that the line about it is in no test's output."""
    if default_ops() == "numba":
        with ahead.compiled_ahead(np.dtype("float32")):
            pass


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Train a small run with each twin and return {backend: folder}."""
    base = tmp_path_factory.mktemp("runs")
    return {backend: start(base / backend, backend) for backend in BACKENDS}


@pytest.fixture
def copy(finished, tmp_path):
    """Return a copy of a finished NumPy run, which a test may damage."""
    return shutil.copytree(finished["numpy"], tmp_path / "run")


@pytest.fixture
def half(finished, tmp_path):
    """Return a run that was stopped after two of its four epochs; the second was the best so far."""
    folder, record = tmp_path / "half", metrics.record
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            metrics, "record", lambda f, row: interrupt() if row["epoch"] == 3 else record(f, row)
        )
        assert main(["--run", str(folder), *SMALL]) == 130
    return folder


@pytest.fixture
def swin_file(tmp_path):
    """Return the file of a small Swin with timm's names."""
    return safetensors(tmp_path / "swin.safetensors", floats())


@pytest.fixture
def unconverted(tmp_path, capsys):
    """Return unconverted(source, *arguments): the line of an error; nothing may be written."""

    def run(source, *arguments, to="here"):
        out = tmp_path / "out.safetensors"
        before = sorted(tmp_path.rglob("*"))
        line = refused(capsys, convert, [str(source), str(out), "--to", to, *arguments])
        assert sorted(tmp_path.rglob("*")) == before
        return line

    return run
