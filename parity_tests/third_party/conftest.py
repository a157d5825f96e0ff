"""Runs each agreement through both twins; collects, shows and writes what was measured."""

from pathlib import Path

import pytest

from . import summary
from .agreement import TWINS, rows

OUTCOME = summary.Outcome()


@pytest.fixture(params=TWINS)
def agree(request):
    """agree(agreement): every tensor within the budget, through the twin of the parameter."""

    def check(agreement):
        measured = rows(agreement, request.param)
        OUTCOME.add(request.node.name, agreement, request.param, measured)
        over = [row for row in measured if not row.ok]
        assert not over, f"over the budget: {over}"

    return check


def pytest_deselected(items):
    OUTCOME.partial = True


def pytest_collectreport(report):
    if report.skipped:
        OUTCOME.skip(report)


def pytest_runtest_logreport(report):
    if report.skipped:
        OUTCOME.skip(report)


def pytest_terminal_summary(terminalreporter):
    if OUTCOME.lines:
        terminalreporter.section("both twins against third parties")
        terminalreporter.write_line(OUTCOME.text())


def pytest_sessionfinish(session):
    """A part of the tests must not replace the report of all."""
    ran = {Path(item.path) for item in session.items} | OUTCOME.skipped_files
    whole = set(Path(__file__).parent.glob("test_*.py")) <= ran
    chosen = OUTCOME.partial or session.shouldstop or session.shouldfail
    chosen = chosen or any("::" in argument for argument in session.config.args)
    if whole and not chosen and OUTCOME.lines:
        OUTCOME.write(Path(session.config.rootpath) / "reports")
