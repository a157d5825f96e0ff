"""One small run of each twin, which the tests of runs copy and damage."""

import numpy as np
import pytest
from small_runs import BACKENDS, start

from numpy_ref.dispatch import default_ops
from numpy_ref.kernels import ahead


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
