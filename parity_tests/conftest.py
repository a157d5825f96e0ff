"""Collects what the parity tests measured and shows it at the end."""

from pathlib import Path

import pytest

from . import report

RESULTS = {}


@pytest.fixture(scope="session")
def results():
    """{(case id, dtype): [budget.Row]} of the comparisons made so far."""
    return RESULTS


def pytest_terminal_summary(terminalreporter):
    if RESULTS:
        terminalreporter.section("parity of the twins")
        terminalreporter.write_line(report.text_table(RESULTS))
        terminalreporter.write_line("")
        terminalreporter.write_line(report.summary(RESULTS))


def pytest_sessionfinish(session):
    if RESULTS:
        report.write(RESULTS, Path(session.config.rootpath) / "reports")
