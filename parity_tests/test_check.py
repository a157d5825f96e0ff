"""`check` judges kernels: a right one is right, and each known bug is named."""

import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from . import budget
from .check.__main__ import main
from .check.attention import ATTENTION
from .check.attention.backward_mistakes import DkWithoutScale, DtableOverwritten
from .check.attention.lookup_mistakes import SignFlipped
from .check.attention.mistakes import MISTAKES, DenormalsFlushed, ScaleOnBias
from .check.attention.reference import Reference
from .check.confusion import in_shape
from .check.diagnose import Answer, diagnose
from .check.kernel import Kernel
from .check.report import text
from .check.verdict import judge_kernel

KERNELS, OF_TORCH = "parity_tests.kernels_to_check", "parity_tests.torch_kernels_to_check"


@pytest.fixture(scope="module")
def asked():
    return ATTENTION.questions("float64", ATTENTION.arguments, quick=True)


def answers(asked, *mistakes):
    """Return what a kernel with these mistakes would answer."""
    made = mistakes[0] if len(mistakes) == 1 else type("Mistaken", mistakes, {})
    found = []
    for question in asked:
        results = question.asked_of(made).results()
        shapes = {name: question.truth[name].shape for name in results}
        results = {name: in_shape(x, shapes[name]) for name, x in results.items()}
        rows = [budget.float64(name, question.truth[name], x) for name, x in results.items()]
        found.append(Answer(question, results, tuple(row.tensor for row in rows if not row.ok)))
    return found


def test_the_reference_is_the_truth(asked):
    assert len(asked) > 15
    for question in asked:
        results = question.asked_of(Reference).results()
        assert results.keys() == question.truth.keys()
        assert all(budget.float64(n, question.truth[n], x).ok for n, x in results.items())


# In float64 what is lost with the denormals is far below 1e-10.
IN_FLOAT64 = [mistake for mistake in MISTAKES if mistake is not DenormalsFlushed]


@pytest.mark.parametrize("mistake", IN_FLOAT64, ids=lambda mistake: mistake.__name__)
def test_each_mistake_is_named(asked, mistake):
    """It shows in some case, and no other mistake gives the same results in all cases where it does."""
    wrong = answers(asked, mistake)
    assert any(answer.wrong for answer in wrong)
    (diagnosis,) = diagnose(wrong, ATTENTION)
    assert diagnosis.texts == (mistake.__doc__,)
    assert diagnosis.explained == diagnosis.failed


@pytest.mark.parametrize(
    "mistakes",
    [(ScaleOnBias, SignFlipped), (DkWithoutScale, DtableOverwritten), (SignFlipped, DkWithoutScale)],
    ids=lambda pair: "-".join(mistake.__name__ for mistake in pair),
)
def test_two_mistakes_are_told_apart(asked, mistakes):
    small = [question for question in asked if question.truth["out"].size < 5000]
    found = diagnose(answers(small, *mistakes), ATTENTION)
    assert {frozenset(diagnosis.texts) for diagnosis in found} == {
        frozenset(mistake.__doc__ for mistake in mistakes)
    }


@pytest.mark.parametrize("module", [KERNELS, OF_TORCH])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_right_kernel_is_right(module, dtype):
    verdict = judge_kernel(Kernel(f"{module}:attention"), dtype=dtype, quick=True)
    assert verdict.ok
    assert verdict.diagnoses == ()
    assert {finding.row.tensor for finding in verdict.findings} == {"out", "dq", "dk", "dv", "dtable"}


def test_three_bugs_of_a_torch_kernel_are_named():
    verdict = judge_kernel(Kernel(f"{OF_TORCH}:three_bugs"), quick=True)
    (diagnosis,) = verdict.diagnoses
    assert [text.split(":")[0] for text in diagnosis.texts] == [
        "the scale multiplies the bias too",
        "queries and keys are swapped in the index",
        "the mask is of the wrong window",
    ]
    assert diagnosis.explained >= diagnosis.failed - 1


def test_the_command_says_what_is_wrong(capsys, tmp_path):
    files = {name: tmp_path / f"verdict.{name}" for name in ("json", "junit")}
    options = [text for name, path in files.items() for text in (f"--{name}", str(path))]
    assert main([f"{KERNELS}:unscaled_dk", "--quick", *options]) == 1
    shown = capsys.readouterr().out
    assert "  - dk lacks the scale" in shown
    assert "worst element" in shown
    assert ", key " in shown
    verdict = json.loads(files["json"].read_text())
    assert not verdict["ok"]
    suite = ElementTree.parse(files["junit"]).getroot()
    assert int(suite.get("failures")) == sum(not tensor["ok"] for tensor in verdict["tensors"]) > 10


def test_the_command_says_that_a_kernel_is_right(capsys):
    assert main([f"{KERNELS}:attention", "--quick"]) == 0
    assert "of what rounding allows" in capsys.readouterr().out


def test_gradients_that_are_not_there_are_said(capsys):
    assert main([f"{KERNELS}:forward_only", "--quick"]) == 0
    assert "not checked: gradients" in capsys.readouterr().out


def test_flushed_denormals_are_named():
    verdict = judge_kernel(Kernel(f"{KERNELS}:flushing"), quick=True)
    assert verdict.failed == ["op-attention-denormal"]
    assert [d.texts for d in verdict.diagnoses] == [(DenormalsFlushed.__doc__,)]


def test_what_the_wrong_cases_have_in_common_is_said(capsys):
    """An error of 1 % in some cases is no low precision either: that would be in all of them."""
    assert main([f"{KERNELS}:wrong_for_fewer_queries", "--quick"]) == 1
    shown = capsys.readouterr().out
    assert "no known bug" in shown
    assert re.search(
        r"\nout: wrong in all \d+ cases with fewer queries than keys, and in no other\n", shown
    )


def test_cases_that_a_bug_does_not_explain_are_named():
    verdict = judge_kernel(Kernel(f"{KERNELS}:unscaled_dk_with_table"), quick=True)
    (diagnosis,) = verdict.diagnoses
    without_table = {f.case for f in verdict.findings if f.row.tensor == "out" and not f.ok}
    assert set(diagnosis.others) == without_table
    assert diagnosis.texts == (DkWithoutScale.__doc__,)
    shown = text(verdict)
    assert "a known bug gives the results of most wrong cases:" in shown
    assert f"not explained: {diagnosis.others[0].rpartition('-')[2]}, " in shown
    assert re.search(r"\nout: wrong in all \d+ cases without table, and in no other\n", shown)
    few = diagnosis._replace(explained=1)
    assert "perhaps a known bug, but" in text(replace(verdict, diagnoses=(few,)))


def test_cases_that_raise_are_not_among_those_that_a_bug_explains(capsys):
    assert main([f"{KERNELS}:unscaled_dk_without_masks", "--quick", "--case", "[p-s]*"]) == 1
    shown = capsys.readouterr().out
    assert "  - dk lacks the scale" in shown
    (cases, wrong) = map(int, re.search(r"agree to \S+ in (\d+) of (\d+) wrong cases", shown).groups())
    (more,) = map(
        int, re.search(r"\n    (\d+) more wrong cases gave nothing to compare\n", shown).groups()
    )
    assert cases == wrong
    assert f"cases, {wrong + more} wrong" in shown


def test_a_table_gradient_of_another_shape_is_compared_with_no_bug():
    """Some bugs are fitted to the table's gradient, whose rows a transposed one does not have."""
    verdict = judge_kernel(Kernel(f"{KERNELS}:transposed_dtable"), pattern="table")
    assert {f.row.tensor for f in verdict.findings if not f.ok} == {"dtable"}
    assert "expected" in next(f.problem for f in verdict.findings if f.problem)


def test_an_unknown_bug_is_no_diagnosis(capsys):
    assert main([f"{KERNELS}:unknown_bug", "--quick"]) == 1
    assert "no known bug" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        ("attention", "expected package.module:function or file.py:function"),
        ("no_such_module:attention", "there is no module 'no_such_module'"),
        ("no_such_file.py:attention", "there is no file no_such_file.py"),
        (f"{KERNELS}:nothing", "has no function 'nothing', only attention"),
    ],
)
def test_what_is_no_kernel_is_named(kernel, message, capsys):
    with pytest.raises(SystemExit):
        main([kernel])
    assert message in capsys.readouterr().err
