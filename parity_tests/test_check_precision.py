"""`check` finds steps in low precision: their errors depend on the order of operations."""

import re

import numpy as np
import pytest
import torch

from . import budget, right_kernels_to_check
from . import imprecise_kernels_to_check as kernels
from .check.__main__ import main
from .check.attention import ATTENTION
from .check.bias import BIAS
from .check.diagnose import Answer
from .check.kernel import Kernel
from .check.noise import Noise
from .check.precision import imprecise_steps
from .check.report import text
from .check.soundness import page, shares
from .check.verdict import judge_kernel
from .rounding import Rounding
from .torch_kernels_to_check import attention

HALF = ("bfloat16", "float16")
ORDERS = ("", "Random", "Tree", "Blocks", "Samples", "Pairs")


def answers(kernel, dtype, *variants, kind=ATTENTION):
    """Return the kernel's answers in some of the cases."""
    found = []
    for question in (kind.question(c, dtype) for c in kind.cases if c.variant in variants):
        results = kernel.results(question)
        truth, costs = question.truth, question.costs
        rows = [
            budget.row(name, truth[name], x, costs.get(name), name in question.moved)
            for name, x in results.items()
        ]
        found.append(Answer(question, results, tuple(row.tensor for row in rows if not row.ok)))
    return found


def names(found, kind=ATTENTION):
    """Return the steps in low precision that explain the answers, the most likely first."""
    return list(dict.fromkeys(fit.step.__doc__ for fit in imprecise_steps(found, kind.steps)))


FEW = (
    "table",
    "cross",
    "registers_3x5",
    "pooled_keys",
    "shifted_windows",
    "swin_3x5",
    "opposite_samples",
)


@pytest.mark.parametrize(("dtype", "low"), [("float32", "bfloat16"), *((half, half) for half in HALF)])
def test_a_low_accumulator_in_dtable_is_found_in_any_order(dtype, low):
    for order in ORDERS:
        kernel = kernels.OfClass(getattr(kernels, f"Dtable{order}"), low)
        wrong = {name for answer in answers(kernel, dtype, *FEW, "past_tiles") for name in answer.wrong}
        assert wrong == {"dtable"}, order


@pytest.mark.parametrize(
    ("dtype", "low", "order"),
    [
        ("float32", "bfloat16", "Random"),
        ("float32", "bfloat16", "Tree"),
        ("float32", "float16", "Blocks"),
        ("bfloat16", "bfloat16", ""),
        ("bfloat16", "bfloat16", "Tree"),
        ("float16", "float16", "Random"),
        ("float64", "float32", ""),
    ],
)
def test_a_low_accumulator_in_dtable_is_named(dtype, low, order):
    named = names(answers(kernels.OfClass(getattr(kernels, f"Dtable{order}"), low), dtype, *FEW))
    assert f"dtable is accumulated in {'float16 or TF32' if low == 'float16' else low}" in named
    assert len(named) == 1 or dtype == low  # then only one case is wrong, and tells less


@pytest.mark.parametrize("dtype", ["float64", "float32", *HALF])
@pytest.mark.parametrize("low", ["float32", "float64"])
def test_a_right_accumulator_in_dtable_is_right(dtype, low):
    if (dtype, low) == ("float64", "float32"):
        pytest.skip("that is a low accumulator")
    for order in ORDERS:
        kernel = kernels.OfClass(getattr(kernels, f"Dtable{order}"), low)
        found = answers(kernel, dtype, *FEW, "past_tiles")
        assert not any(answer.wrong for answer in found) and names(found) == []


@pytest.mark.parametrize(
    ("step", "low", "words"),
    [
        (
            "Inputs",
            "bfloat16",
            "the inputs, or the factors of every matrix product, are rounded to bfloat16",
        ),
        (
            "Factors",
            "float16",
            "the inputs, or the factors of every matrix product, are rounded to float16",
        ),
        ("Scores", "bfloat16", "the scores are rounded to bfloat16"),
        ("Exp", "float16", "the softmax's exp is computed in float16"),
        ("SoftmaxSum", "bfloat16", "the softmax's sum is accumulated in bfloat16"),
        ("Weights", "bfloat16", "the softmax's weights P are rounded to bfloat16"),
        ("Products", "float16", "out, dq, dk and dv are accumulated in float16"),
        ("Out", "float16", "out is rounded to float16 or TF32, and backward takes"),
    ],
)
def test_a_step_in_half_precision_is_named(step, low, words):
    few = ("table", "cross", "registers_3x5", "pooled_keys", "shifted_windows", "many_keys")
    named = names(answers(kernels.OfClass(getattr(kernels, step), low), "float32", *few))
    assert named[0].startswith(words)
    assert len(named) == 1 or (step, len(named)) == ("Exp", 2)  # close to rounding the scores


def test_the_worst_element_is_not_one_that_rounding_nearly_allows():
    """Float16 has no number below 6e-8: all of `denormal` is lost, and rounding allows 2/3 of that."""

    def half(q, k, v, table=None, index=None, mask=None, scale=None):
        return attention(q, k, v, table, index, mask, scale).half().to(q.dtype)

    verdict = judge_kernel(Kernel(half), pattern="[dl]*l*", quick=True, without="d*")
    shares = {f.case.rpartition("-")[2]: (f.relative, f.row.budget_share) for f in verdict.findings}
    assert shares["denormal"][0] > shares["large_logits"][0]
    assert 1 < shares["denormal"][1] < shares["large_logits"][1]
    assert re.search(r"\nout .* large_logits: ", text(verdict))


def test_a_softmax_summed_in_bfloat16_is_named_for_bfloat16_inputs():
    kernel = kernels.OfClass(kernels.SoftmaxSum, "bfloat16")
    found = answers(kernel, "bfloat16", "table", "cross", "many_keys")
    assert names(found) == ["the softmax's sum is accumulated in bfloat16"]


OF_BIAS = ("oblong", "rows_never_read", "swin_7x7", "registers_3x5", "beit_3x5", "past_tiles")
LOW_FOR = [("float64", "float32"), ("float32", "bfloat16"), ("float32", "float16")]


@pytest.mark.parametrize(("dtype", "low"), [*LOW_FOR, *((half, half) for half in HALF)])
def test_a_low_accumulator_of_a_lookup_is_named_in_any_order(dtype, low):
    for order in ORDERS[:4]:
        kernel = kernels.OfBias(getattr(kernels, f"Dtable{order}"), low)
        found = answers(kernel, dtype, *OF_BIAS, kind=BIAS)
        assert {name for answer in found for name in answer.wrong} == {"dtable"}
        step = f"dtable is accumulated in {'float16 or TF32' if low == 'float16' else low}"
        assert names(found, BIAS) == [step], order


@pytest.mark.parametrize("dtype", ["float64", "float32", *HALF])
def test_a_right_accumulator_of_a_lookup_is_right(dtype):
    for order in ORDERS[:4]:
        kernel = kernels.OfBias(getattr(kernels, f"Dtable{order}"), "float64")
        found = answers(kernel, dtype, *OF_BIAS, kind=BIAS)
        assert not any(answer.wrong for answer in found) and names(found, BIAS) == []


@pytest.mark.parametrize("low", HALF)
def test_a_lookup_of_a_rounded_table_is_named(low):
    dtype, called = getattr(torch, low), "float16 or TF32" if low == "float16" else low

    def out_alone(table, index):
        bias = table[index].permute(2, 0, 1)
        return bias + (bias.to(dtype).to(bias.dtype) - bias).detach()

    def both(table, index):
        return table.to(dtype)[index].permute(2, 0, 1).to(table.dtype)

    rounded = f"the table, or the bias, is rounded to {called}"
    for kernel, step in ((out_alone, rounded), (both, f"{rounded}, and dtable is accumulated in it")):
        assert names(answers(Kernel(kernel, "torch"), "float32", *OF_BIAS, kind=BIAS), BIAS) == [step]


def test_other_errors_of_a_lookup_are_not_taken_for_low_precision():
    def too_large(table, index):
        return table[index].permute(2, 0, 1) * (1 + 2.0**-9)

    def one_element(table, index):
        bias = table[index].permute(2, 0, 1)
        off = torch.zeros_like(bias).index_fill(-1, torch.tensor([0]), 0.02)
        return bias + (off * bias).detach()

    for kernel in (too_large, one_element):
        found = answers(Kernel(kernel, "torch"), "float32", *OF_BIAS, kind=BIAS)
        assert any(answer.wrong for answer in found) and names(found, BIAS) == []


def test_autograd_of_a_lookup_in_bfloat16_is_named_by_the_command(capsys):
    target = "parity_tests.imprecise_kernels_to_check:indexed"
    assert main([target, "--kind", "bias", "--dtype", "bfloat16"]) == 1
    assert re.findall("^  - (.*)", capsys.readouterr().out, re.M) == [
        "dtable is accumulated in bfloat16"
    ]


class LowIfMasked(kernels.Dtable):
    """dtable is accumulated in the lower precision where there is a mask, and nowhere else."""

    def scatter(self, ds):
        return super().scatter(ds) if self.mask is not None else kernels.Attention.scatter(self, ds)


class SmallFactor(kernels.Attention):
    """out is off by a factor, by as much as bfloat16's rounding."""

    def out(self):
        return super().out() * (1 + 2.0**-9)


class OneElement(kernels.Dtable):
    """One element of dtable is off, by as much as a bfloat16 accumulator costs all of them together."""

    def scatter(self, ds):
        total = kernels.Attention.scatter(self, ds)
        total[0, 0] += (super().scatter(ds) - total).norm()
        return total


@pytest.mark.parametrize("bug", [SmallFactor, OneElement])
def test_other_errors_of_that_size_are_not_taken_for_low_precision(bug):
    found = answers(kernels.OfClass(bug, "bfloat16"), "float32", *FEW)
    assert any(answer.wrong for answer in found) and names(found) == []


def test_a_step_that_would_show_in_more_cases_is_not_named():
    """In most cases this kernel's dtable is far nearer to the truth than a bfloat16 accumulator's."""
    found = answers(kernels.OfClass(LowIfMasked, "bfloat16"), "float32", *FEW)
    wrong = [answer.question.case.variant for answer in found if answer.wrong]
    assert wrong == ["shifted_windows", "swin_3x5"] and names(found) == []


def test_the_verdict_says_how_large_the_errors_are():
    verdict = judge_kernel(Kernel(kernels.summed_in_bfloat16), quick=True)
    shown = text(verdict)
    assert "  - dtable is accumulated in bfloat16\n" in shown
    in_one_line = " ".join(shown.split())
    assert "your errors are dtable 1.00 times what that costs" in in_one_line
    assert "added up in the order of batch, query and key" in in_one_line


@pytest.mark.parametrize("dtype", ["float32", *HALF])
def test_noise_is_as_large_as_the_errors_of_rounding(dtype):
    """Rounding once, and sums of products in a random order, each step rounded to nearest."""
    rng, noise = np.random.default_rng(0), Noise()
    noise.rounding = Rounding(dtype, 0)
    x = rng.standard_normal(20_000)
    once, modelled = noise.nearest(x) - x, noise.rounded(x) - x
    assert 0.9 < np.sqrt(np.mean(modelled**2) / np.mean(once**2)) < 1.1
    a, b = (
        noise.nearest(rng.standard_normal((300, 1, 60))),
        noise.nearest(rng.standard_normal((300, 60, 8))),
    )
    summed = noise.one_by_one((a.swapaxes(-1, -2) * b).swapaxes(0, 1))
    exact = (a @ b)[:, 0]
    modelled = noise.product(a, b)[:, 0] - exact
    assert 0.8 < np.sqrt(np.mean(modelled**2) / np.mean((summed - exact) ** 2)) < 1.25


MORE = ("masked_row", "late_keys", "large_logits")


@pytest.mark.parametrize("dtype", ["float64", "float32", *HALF])
def test_right_kernels_of_all_makes_are_right(dtype):
    """With another seed than the table's; `python -m parity_tests.check.soundness` tries 30."""
    cases = [case for case in ATTENTION.cases if case.variant in (*FEW, *MORE)]
    found = shares(1, dtype, cases=cases)
    assert found.keys() == right_kernels_to_check.MAKES.keys()
    for make, rows in found.items():
        assert max(rows)[0] <= 1, (make, max(rows))


def test_probabilities_from_the_log_of_the_sum_are_over_the_budget():
    """P = exp(s − lse) is a rounding error of the largest score off; with some seeds that shows."""
    makes = {"lse": kernels.OfClass(right_kernels_to_check.InTilesOfLse)}
    cases = [case for case in ATTENTION.cases if case.variant == "large_logits"]
    found = [max(shares(seed, "float32", makes, cases)["lse"])[0] for seed in range(1, 6)]
    assert max(found) > 1


def test_a_wrong_kernel_is_over_the_budget_in_the_table_of_makes():
    makes = {"wrong": kernels.OfClass(SmallFactor)}
    cases = [case for case in ATTENTION.cases if case.variant == "table"]
    found = shares(1, "float32", makes, cases)["wrong"]
    assert max(found)[0] > 1
    assert "| wrong | float32 | 5 | 1 |" in page({("wrong", "float32"): found}, 1)
