"""What the wrong cases have in common: the features of a kind are what they are called."""

from types import SimpleNamespace

import pytest

from .budget import Row
from .check.kinds import KINDS
from .check.pattern import features, patterns

WITH_FEATURES = [name for name, kind in KINDS.items() if kind.features]
QUESTIONS = {
    name: {q.case.id: q for q in KINDS[name].questions("float64", KINDS[name].arguments, quick=True)}
    for name in WITH_FEATURES
}
EVERY = [(name, words) for name in WITH_FEATURES for words in KINDS[name].features]


def said(name, wrong):
    """Return the lines on a kernel whose output is wrong in these cases."""
    questions = QUESTIONS[name]
    rows = {case: Row("out", 1.0, 2.0 if case in wrong else 0.5) for case in questions}
    findings = [SimpleNamespace(case=c, row=row, ok=row.ok) for c, row in rows.items()]
    return patterns(findings, questions, KINDS[name])


def cases_with(name, words):
    has = features(QUESTIONS[name].values(), KINDS[name])[words]
    return {case for case, question in QUESTIONS[name].items() if has(question)}


@pytest.mark.parametrize(("name", "words"), EVERY)
def test_a_feature_that_all_wrong_cases_have_and_no_other_is_said(name, words):
    """Some feature of the same cases is: the first one of several that no case tells apart."""
    wrong = cases_with(name, words)
    assert wrong
    if wrong == QUESTIONS[name].keys():
        pytest.skip("every case has it")
    (line,) = said(name, wrong)
    line = line.removeprefix("out: wrong in ").removesuffix(", and in no other")
    assert cases_with(name, line[line.index(" cases ") + 7 :] if len(wrong) > 1 else line[13:]) == wrong


def test_a_feature_that_a_few_right_cases_have_too_is_said_with_their_number():
    wrong = cases_with("attention", "with Lq ≠ Lk")
    wrong.remove("op-attention-cross")
    count = len(wrong)
    assert said("attention", wrong) == [
        f"out: wrong only in cases with Lq ≠ Lk, in {count} of {count + 1}"
    ]


def test_nothing_is_said_of_cases_that_have_nothing_in_common():
    assert said("attention", {"op-attention-plain", "op-attention-late_keys"}) == []


def test_nothing_is_said_where_every_case_is_wrong():
    assert said("windows", set(QUESTIONS["windows"])) == []
