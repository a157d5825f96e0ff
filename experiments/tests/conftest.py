"""One small run of each twin, which the tests of runs copy and spoil."""

import pytest
from small_runs import BACKENDS, start


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """{backend: folder} of a whole small run."""
    base = tmp_path_factory.mktemp("runs")
    return {backend: start(base / backend, backend) for backend in BACKENDS}
