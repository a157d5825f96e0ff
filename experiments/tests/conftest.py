"""One small run of each twin, which the tests of runs copy and spoil."""

import numpy as np
import pytest
from small_runs import BACKENDS, start

from numpy_ref.dispatch import default_ops
from numpy_ref.kernels import ahead


@pytest.fixture(scope="session", autouse=True)
def kernels_on_disk():
    """Compiled before the first test, so that none finds the line that says so in its output."""
    if default_ops() == "numba":
        with ahead.compiled_ahead(np.dtype("float32")):
            pass


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """{backend: folder} of a whole small run."""
    base = tmp_path_factory.mktemp("runs")
    return {backend: start(base / backend, backend) for backend in BACKENDS}
