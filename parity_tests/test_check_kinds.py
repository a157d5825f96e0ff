"""`check --kind`: each kind's definition is the truth, and each of its known bugs is named."""

import pytest

from . import budget
from .check.diagnose import Answer, diagnose
from .check.kinds import KINDS

NAMES = ("bias", "windows", "reverse", "resize")


def questions(kind, dtype="float64"):
    return kind.questions(dtype, kind.arguments, quick=True)


ASKED = {name: questions(KINDS[name]) for name in NAMES}
EACH = [(name, mistake) for name in NAMES for mistake in KINDS[name].mistakes]


def answer(question, mistake):
    """Return what a kernel with this mistake would answer to the question."""
    mistaken = question.asked_of(mistake)
    results = {name: mistaken.result(name) for name in question.truth}
    rows = [
        budget.row(name, question.truth[name], x, moved=name in question.moved)
        for name, x in results.items()
    ]
    return Answer(question, results, tuple(row.tensor for row in rows if not row.ok))


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_is_the_truth(name):
    assert len(ASKED[name]) >= 8
    for question in ASKED[name]:
        assert not answer(question, KINDS[name].reference).wrong, question.case.id


@pytest.mark.parametrize(("name", "mistake"), EACH, ids=lambda x: getattr(x, "__name__", x))
def test_each_mistake_is_named(name, mistake):
    """It shows in some case, and no other mistake gives the same results in all cases where it does."""
    wrong = [answer(question, mistake) for question in ASKED[name]]
    assert any(answer.wrong for answer in wrong)
    (diagnosis,) = diagnose(wrong, KINDS[name])
    assert diagnosis.texts == (mistake.__doc__,)
    assert diagnosis.explained == diagnosis.failed
