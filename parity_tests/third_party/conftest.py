"""Run each agreement in both twins; collect, print and write the results."""

from pathlib import Path

import pytest

from . import summary
from .agreement import TWINS, rows

FOLDER = Path(__file__).parent
OUTCOME = summary.Outcome()
FIXTURES = {"agree", "bridge"}


@pytest.fixture(params=TWINS)
def agree(request):
    """Return agree(agreement), which asserts that every tensor of this twin is within the budget."""

    def check(agreement):
        measured = rows(agreement, request.param)
        OUTCOME.add(request.node.nodeid, agreement, request.param, measured)
        over = [row for row in measured if not row.ok]
        assert not over, f"over the budget: {over}"

    return check


@pytest.fixture
def bridge(request):
    """Return bridge(report, rows), which asserts that a conversion's rows are within the budget."""

    def check(report, measured):
        OUTCOME.add_bridge(request.node.nodeid, report, measured)
        over = [row for row in measured if not row.ok]
        assert not over, f"over the budget: {over}"

    return check


def pytest_deselected(items):
    OUTCOME.partial = True


def pytest_collectreport(report):
    OUTCOME.note_skip(report)


def pytest_runtest_logreport(report):
    OUTCOME.note_skip(report)


def pytest_terminal_summary(terminalreporter):
    if OUTCOME.lines:
        terminalreporter.section("both twins against third parties")
        terminalreporter.write_line(OUTCOME.text())


def pytest_sessionfinish(session):
    """Write the report, but only if all tests of the folder ran and each has a result or a skip."""
    root = Path(session.config.rootpath)
    chosen = OUTCOME.partial or any("::" in argument for argument in session.config.args)
    items = [item for item in session.items if FOLDER in Path(item.path).parents]
    ids = {item.nodeid for item in items if FIXTURES.intersection(item.fixturenames)}
    done = OUTCOME.lines.keys() | OUTCOME.skips.keys()
    files = {Path(item.path) for item in items} | {root / node.partition("::")[0] for node in done}
    if ids <= done and set(FOLDER.glob("test_*.py")) <= files and not chosen and OUTCOME.lines:
        OUTCOME.write(root / "reports")
