"""What planted bugs are taken for: the kernels they are planted in, the outcomes, the page."""

import numpy as np
import pytest

from . import budget
from .check import confusion
from .check.attention import ATTENTION
from .check.attention.backward_mistakes import DkWithoutScale, DqWithoutScale, NoDelta
from .check.attention.one_way_mistakes import Recomputed
from .check.attention.reference import Reference
from .check.diagnose import Diagnosis


@pytest.fixture(scope="module")
def rows():
    """Return a row each for a bug and for two kernels without one."""
    tried = DkWithoutScale, Reference, Recomputed
    rows = confusion.confusion("float32", tried, show=lambda line: None)
    return dict(zip(tried, rows, strict=True))


def test_a_planted_bug_is_named(rows):
    row = rows[DkWithoutScale]
    assert row["planted"] == "dk lacks the scale"
    assert (row["outcome"], row["diagnosed"]) == ("named alone", ["dk lacks the scale"])
    assert row["wrong_cases"] > 10


@pytest.mark.parametrize("base", [Reference, Recomputed])
def test_the_kernels_without_a_bug_are_right(rows, base):
    assert rows[base]["outcome"] == "not noticed"


def test_the_kernels_round_every_step():
    (case,) = [case for case in ATTENTION.cases if case.variant == "table"]
    question = ATTENTION.question(case, "float32")
    for name, x in confusion.planted(Reference, question).items():
        truth = question.truth[name]
        assert np.array_equal(budget.rounded(x, "float32"), x)
        assert np.any(np.abs(x - truth) > np.finfo(np.float32).eps * np.abs(truth))  # more than one


def test_two_bugs_are_planted_together():
    (case,) = [case for case in ATTENTION.cases if case.variant == "table"]
    wrong, found = confusion.named(
        (DkWithoutScale, DqWithoutScale), [ATTENTION.question(case, "float32")]
    )
    assert wrong == 1
    assert confusion.outcome((DkWithoutScale, DqWithoutScale), wrong, found) == "named alone"


def of(*mistakes):
    return Diagnosis(mistakes, 1, 1, 0.0)


DK, DQ, DELTA = of(DkWithoutScale), of(DqWithoutScale), of(NoDelta)
OUTCOMES = [
    ((DkWithoutScale,), 0, [], "not noticed"),
    ((DkWithoutScale,), 3, [], "not named"),
    ((DkWithoutScale,), 3, [DK], "named alone"),
    ((DkWithoutScale,), 3, [DQ, DK], "named with 1 other"),
    ((DkWithoutScale,), 3, [DQ, DK, DELTA], "named with 2 others"),
    ((DkWithoutScale,), 3, [DQ], "taken for another"),
    ((DkWithoutScale,), 3, [of(DkWithoutScale, DqWithoutScale)], "taken for another"),
    ((DkWithoutScale, DqWithoutScale), 3, [of(DqWithoutScale, DkWithoutScale)], "named alone"),
    ((DkWithoutScale, DqWithoutScale), 3, [DK], "taken for another"),
]


@pytest.mark.parametrize(("planted", "wrong", "found", "expected"), OUTCOMES)
def test_an_outcome_is_what_the_diagnoses_say(planted, wrong, found, expected):
    assert confusion.outcome(planted, wrong, found) == expected


def test_the_page_counts_the_outcomes_and_lists_those_that_are_not_named_alone():
    alone = {"planted": "a", "outcome": "named alone", "wrong_cases": 4, "diagnosed": ["a"]}
    other = {"planted": "b", "outcome": "taken for another", "wrong_cases": 1, "diagnosed": ["a; and c"]}
    page = confusion.page({"float16": [alone, other, alone]}, "the command").splitlines()
    assert "| named alone | 2 |" in page
    assert "| all | 3 |" in page
    start = page.index("- b:")
    assert page[start : start + 3] == ["- b:", "  taken for another, 1 case wrong", "  - a; and c"]
    assert "- a:" not in page


def test_the_folder_is_made_before_the_work(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "a" / "b"

    def made(dtype):
        assert folder.is_dir()
        return []

    monkeypatch.setattr(confusion, "confusion", made)
    confusion.main(["--dtypes", "float32", "--write", str(folder)])
    assert {path.name for path in folder.iterdir()} == {"confusion.md", "confusion.json"}
    assert (folder / "confusion.md").read_text() == capsys.readouterr().out[:-1]
