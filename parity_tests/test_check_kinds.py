"""`check --kind`: each kind's definition is the truth, and each of its known bugs is named."""

import pytest

from . import budget
from .check.__main__ import main
from .check.bias import mistakes as of_bias
from .check.diagnose import Answer, diagnose
from .check.kernel import Kernel
from .check.kinds import KINDS
from .check.one_way import in_backward, in_forward
from .check.resize import mistakes as of_resize
from .check.verdict import judge_kernel
from .check.windows import mistakes as of_windows
from .check.windows.reference import NO_RESULT, Partition

KERNELS, OF_TORCH = "parity_tests.kernels_of_kinds", "parity_tests.torch_kernels_of_kinds"
NAMES = ("bias", "windows", "reverse", "shift", "resize")


def questions(kind, dtype="float64"):
    return kind.questions(dtype, kind.arguments, quick=True)


ASKED = {name: questions(KINDS[name]) for name in NAMES}
EACH = [(name, mistake) for name in NAMES for mistake in KINDS[name].mistakes]


def answer(question, mistake):
    """Return what a kernel with this mistake would answer to the question.

    Where the mistake gives no result (the sizes do not fit), such a kernel raises an error.
    """
    mistaken = question.asked_of(mistake)
    results = {name: mistaken.result(name) for name in question.truth}
    results = {name: x for name, x in results.items() if x is not NO_RESULT}
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


BACKWARD_ALONE = in_backward(of_windows.RolledBeforePadding, Partition)
PAIRS = [
    ("bias", (of_bias.Negated, of_bias.DtableOfMean)),
    ("windows", (of_windows.RolledBeforePadding, of_windows.OF_PARTITION[0])),
    ("windows", (BACKWARD_ALONE, in_forward(of_windows.BorderRepeated, Partition))),
    ("resize", (of_resize.AlignCorners, of_resize.PrefixSwapped)),
]


@pytest.mark.parametrize(("name", "pair"), PAIRS, ids=lambda x: x if isinstance(x, str) else "")
def test_two_mistakes_are_told_apart(name, pair):
    both = type("Mistaken", pair, {})
    found = diagnose([answer(question, both) for question in ASKED[name]], KINDS[name])
    assert {frozenset(d.texts) for d in found} == {frozenset(m.__doc__ for m in pair)}


RIGHT = [(KERNELS, name, dtype) for name in NAMES for dtype in ("float64", "float32", "float16")]
RIGHT += [(OF_TORCH, name, dtype) for name in NAMES for dtype in ("float64", "float32", "bfloat16")]


@pytest.mark.parametrize(("module", "name", "dtype"), RIGHT)
def test_a_right_kernel_is_right(module, name, dtype):
    function = "bicubic" if (module, name) == (KERNELS, "resize") else name
    verdict = judge_kernel(Kernel(f"{module}:{function}"), name, dtype)
    assert verdict.ok
    assert {finding.row.tensor for finding in verdict.findings} == {*KINDS[name].axes}


@pytest.mark.parametrize(
    ("name", "function", "said"),
    [
        ("bias", "bias_of_last_pair", ("dtable is overwritten", "row ")),
        ("windows", "windows_by_columns", ("the windows are counted column by column", "token ")),
        ("windows", "windows_swapped", ("h and w of the window are swapped", "shape")),
        ("reverse", "reverse_rolled_on", ("the map is rolled in the wrong direction", "column ")),
        ("shift", "shift_of_rows", ("brought to the right are not told apart", "window ")),
        ("resize", "resize_swapped", ("h and w of both windows are swapped", "row ")),
    ],
)
def test_the_command_says_what_is_wrong(name, function, said, capsys):
    assert main([f"{KERNELS}:{function}", "--kind", name]) == 1
    shown = capsys.readouterr().out
    assert all(text in shown for text in said), shown
    assert " only)" not in shown  # without gradients it is not said that the bug is in forward only


@pytest.mark.parametrize("name", ["bias", "windows", "reverse", "shift"])
def test_what_is_copied_is_equal_bit_for_bit(name):
    verdict = judge_kernel(Kernel(f"{KERNELS}:{name}_rounded"), name)
    assert not any(finding.ok for finding in verdict.findings)


@pytest.mark.parametrize("function", ["shift", "shift_with_heads"])
def test_a_mask_may_have_an_axis_for_the_heads_or_be_none(function):
    assert judge_kernel(Kernel(f"{KERNELS}:{function}"), "shift").ok


def test_a_kernel_without_an_option_is_not_asked_cases_with_it():
    windows = KINDS["windows"].questions("float64", ("x", "window_size"))
    assert {question.case.variant for question in windows} == {"plain", "one_token"}
    assert judge_kernel(Kernel(f"{KERNELS}:windows_unshifted"), "windows").ok


def test_an_option_without_a_default_gets_the_kind_s():
    takes = ("table", "window_size", "new_window_size", "num_prefix_tokens")
    questions = KINDS["resize"].questions("float64", takes, takes)
    assert {question.arguments["num_prefix_tokens"] for question in questions} == {0, 1, 2}
    assert not any("method" in question.arguments for question in questions)


def test_a_result_of_another_shape_is_explained_by_the_bug_that_gives_it():
    asked = [question for question in ASKED["windows"] if question.case.variant == "far_padding"]
    (found,) = [answer(question, of_windows.OF_PARTITION[0]) for question in asked]
    assert found.results["out"].shape != found.question.truth["out"].shape
    assert [d.texts for d in diagnose([found], KINDS["windows"])]


def test_a_result_of_another_shape_that_no_bug_gives_is_not_explained():
    question = ASKED["windows"][0]
    found = Answer(question, {"dx": question.truth["dx"]}, ("out",))
    assert diagnose([found], KINDS["windows"]) == []


def test_sizes_are_tuples_in_every_case():
    for name in ("windows", "reverse", "shift", "resize"):
        for question in ASKED[name]:
            sizes = [v for n, v in question.arguments.items() if n.endswith("size")]
            assert sizes
            assert all(isinstance(size, tuple) for size in sizes)
