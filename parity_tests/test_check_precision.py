"""`check` finds steps in low precision: their errors depend on the order of operations."""

import numpy as np
import pytest

from . import budget
from . import imprecise_kernels_to_check as kernels
from .check.attention import ATTENTION
from .check.diagnose import Answer, diagnose
from .check.noise import Noise
from .check.report import text
from .check.verdict import judge_kernel
from .rounding import Rounding

HALF = ("bfloat16", "float16")
ORDERS = ("", "Random", "Tree", "Blocks", "Samples", "Pairs")


def judged(kernel, dtype, *variants):
    """Return (answers, diagnoses) for some of the cases."""
    cases = [case for case in ATTENTION.cases if case.variant in variants]
    answers = []
    for question in (ATTENTION.question(case, dtype) for case in cases):
        results = kernel.results(question)
        truth, costs = question.truth, question.costs
        rows = [budget.row(name, truth[name], x, costs.get(name)) for name, x in results.items()]
        answers.append(Answer(question, results, tuple(row.tensor for row in rows if not row.ok)))
    return answers, diagnose(answers, ATTENTION)


FEW = ("table", "cross", "registers_3x5", "pooled_keys", "shifted_windows", "swin_3x5", "opposite_samples")


@pytest.mark.parametrize(
    ("dtype", "low", "order"),
    [
        *(("float32", "bfloat16", order) for order in ORDERS),
        *(("bfloat16", "bfloat16", order) for order in ORDERS),
        *(("float16", "float16", order) for order in ("Random", "Tree")),
        ("float32", "float16", "Blocks"),
    ],
)
def test_a_low_accumulator_in_dtable_is_found_and_named(dtype, low, order):
    many = ("past_tiles",) if order == "Pairs" and dtype == low else ()  # the batch is summed exactly
    kernel = kernels.OfClass(getattr(kernels, f"Dtable{order}"), low)
    answers, found = judged(kernel, dtype, *FEW, *many)
    assert {name for answer in answers for name in answer.wrong} == {"dtable"}
    named = {words for diagnosis in found for words in diagnosis.texts}
    assert f"dtable is accumulated in {'float16 or TF32' if low == 'float16' else low}" in named
    assert len(named) == 1 or dtype == low  # then only one case is wrong, and tells less


@pytest.mark.parametrize("dtype", ["float64", "float32", *HALF])
@pytest.mark.parametrize("low", ["float32", "float64"])
def test_a_right_accumulator_in_dtable_is_right(dtype, low):
    if (dtype, low) == ("float64", "float32"):
        pytest.skip("that is a low accumulator")
    for order in ORDERS:
        kernel = kernels.OfClass(getattr(kernels, f"Dtable{order}"), low)
        answers, found = judged(kernel, dtype, *FEW)
        assert not any(answer.wrong for answer in answers) and found == []


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("Inputs", "the inputs, or the factors of every matrix product, are rounded to"),
        ("Factors", "the inputs, or the factors of every matrix product, are rounded to"),
        ("Scores", "the scores are rounded to"),
        ("Exp", "the softmax's exp is computed in"),
        ("SoftmaxSum", "the softmax's sum is accumulated in"),
        ("Weights", "the softmax's weights P are rounded to"),
        ("Products", "out, dq, dk and dv are accumulated in"),
    ],
)
@pytest.mark.parametrize("low", HALF)
def test_a_step_in_half_precision_is_named(step, words, low):
    few = ("table", "cross", "registers_3x5", "pooled_keys", "shifted_windows", "swin_3x5", "many_keys")
    _, found = judged(kernels.OfClass(getattr(kernels, step), low), "float32", *few)
    assert [diagnosis.texts for diagnosis in found] == [
        (f"{words} {'float16 or TF32' if low == 'float16' else low}",)
    ]


def test_a_softmax_summed_in_bfloat16_is_named_for_bfloat16_inputs():
    kernel = kernels.OfClass(kernels.SoftmaxSum, "bfloat16")
    _, found = judged(kernel, "bfloat16", "table", "cross", "strips", "many_keys")
    assert [d.texts for d in found] == [("the softmax's sum is accumulated in bfloat16",)]


def test_float32_is_named_for_float64_inputs():
    _, found = judged(kernels.OfClass(kernels.Dtable, "float32"), "float64", *FEW)
    assert [d.texts for d in found] == [("dtable is accumulated in float32",)]


class SmallFactor(kernels.Attention):
    """out is off by a factor, by as much as bfloat16's rounding."""

    def out(self):
        return super().out() * (1 + 2.0**-9)


class OneElement(kernels.Attention):
    """One element of dtable is off."""

    def scatter(self, ds):
        total = super().scatter(ds)
        total[0, 0] += 0.02 * total.abs().max() * len(total) ** 0.5
        return total


@pytest.mark.parametrize("bug", [SmallFactor, OneElement])
def test_other_errors_of_that_size_are_not_taken_for_low_precision(bug):
    answers, found = judged(kernels.OfClass(bug), "float32", *FEW)
    assert any(answer.wrong for answer in answers) and found == []


def test_the_verdict_says_how_large_the_errors_are():
    verdict = judge_kernel(kernels.OfClass(kernels.Dtable, "bfloat16"), quick=True)
    shown = text(verdict)
    assert "  - dtable is accumulated in bfloat16\n" in shown
    assert "your errors are dtable 1.00 times what that costs" in shown
    assert "added up in the order of batch, query and key" in shown


@pytest.mark.parametrize("dtype", ["float32", *HALF])
def test_noise_is_as_large_as_the_errors_of_rounding(dtype):
    """Rounding once, and sums of products in a random order, each step rounded to nearest."""
    rng, noise = np.random.default_rng(0), Noise()
    noise.rounding = Rounding(dtype, 0)
    x = rng.standard_normal(20_000)
    once, modelled = noise.nearest(x) - x, noise.rounded(x) - x
    assert 0.9 < np.sqrt(np.mean(modelled**2) / np.mean(once**2)) < 1.1
    a, b = noise.nearest(rng.standard_normal((300, 1, 60))), noise.nearest(rng.standard_normal((300, 60, 8)))
    summed = noise.one_by_one((a.swapaxes(-1, -2) * b).swapaxes(0, 1))
    exact = (a @ b)[:, 0]
    modelled = noise.product(a, b)[:, 0] - exact
    assert 0.8 < np.sqrt(np.mean(modelled**2) / np.mean((summed - exact) ** 2)) < 1.25
