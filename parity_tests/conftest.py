"""Collect the results of the parity tests and print them at the end."""

import importlib.util
import os
import sys
from contextlib import nullcontext
from pathlib import Path

os.environ.setdefault("NUMBA_NUM_THREADS", "2")  # two threads on one core too; numba reads it once

import pytest

import numpy_ref

from . import report
from .ahead import computed_ahead
from .cases import CASES

RESULTS = {}

if importlib.util.find_spec("torch") and report.device() == "cpu":
    os.environ.setdefault("TRITON_INTERPRET", "1")  # Triton reads it when it is imported


@pytest.fixture(scope="session")
def results():
    """{(case id, dtype): [budget.Row]} of the comparisons made so far."""
    return RESULTS


@pytest.fixture(scope="session", autouse=True)
def truths_ahead():
    """With JOBS=n let n processes compute the cases' truths; only for a run of all cases."""
    jobs = int(os.environ.get("JOBS") or 0)
    with computed_ahead(report.dtypes(), jobs) if jobs else nullcontext():
        yield


@pytest.fixture(scope="session", autouse=True)
def exact_on_cuda():
    """Switch off what a GPU rounds more coarsely than the dtype says."""
    if "torch" in sys.modules and report.device() == "cuda":
        from .exact import exact_products

        exact_products()


@pytest.fixture(autouse=True)
def search_path():
    """Take back what a test adds to sys.path, as a check of a kernel does: processes inherit it."""
    before = list(sys.path)
    yield
    sys.path[:] = before


@pytest.fixture
def two_threads():
    """Let the kernels use two threads during a test."""
    before = numpy_ref.num_threads()
    numpy_ref.set_num_threads(2)
    yield
    numpy_ref.set_num_threads(before)


def pytest_terminal_summary(terminalreporter):
    if RESULTS:
        terminalreporter.section("parity of the twins")
        terminalreporter.write_line(report.text_table(RESULTS))
        terminalreporter.write_line("")
        terminalreporter.write_line(report.summary(RESULTS))


def pytest_sessionfinish(session):
    if not RESULTS:
        return
    every = {(case.id, dtype) for case in CASES for dtype in report.dtypes()}
    if os.environ.get("REPORTS"):  # a folder for this run alone
        report.write(RESULTS, os.environ["REPORTS"])
    elif every <= RESULTS.keys():  # a run of some cases must not replace the report of all
        report.write(RESULTS, Path(session.config.rootpath) / "reports")
