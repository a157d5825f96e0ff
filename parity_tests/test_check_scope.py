"""What `check` says of a kernel's arguments: kinds that fit, names that are near, cases left out."""

import re
from collections import Counter

import numpy as np
import pytest

from .check.kernel import Kernel
from .check.kinds import KINDS
from .check.report import text
from .check.scope import cases_for, left_out
from .check.verdict import judge_kernel
from .kernels_to_check import attention, attention_backward


def error_of(function, kind):
    with pytest.raises(ValueError) as error:
        cases_for(Kernel(function), KINDS[kind].of_scheme(None))
    return str(error.value)


def bias(table, index):
    return np.moveaxis(table[index], 2, 0)


def of_windows(x, window_size):
    return np.asarray(x)


def of_flash(q, k, v, softmax_scale, attn_mask):
    return np.asarray(v)


def of_words(query, key, value, rel_index):
    return np.asarray(value)


def of_none(a, heads):
    return np.asarray(a)


def without_values(q, k, table, index):
    return np.asarray(q)


@pytest.mark.parametrize(
    ("function", "kind", "words"),
    [
        (bias, "attention", "does not take; its arguments fit --kind bias"),
        (bias, "windows", "needs table, index: no argument of the kind windows "
         "(x, window_size, shift_size); its arguments fit --kind bias"),
        (of_windows, "attention", "its arguments fit --kind windows"),
        (of_flash, "attention", "(q, k, v, table, index, mask, scale); did you mean scale and mask?"),
        (of_words, "attention", "did you mean q, k, v and index?"),
        (of_none, "attention", "(q, k, v, table, index, mask, scale)"),
        (without_values, "attention", "cases with v, mask or scale, which the function does not take"),
    ],
)  # fmt: skip
def test_a_kernel_that_fits_no_case_hears_why_and_what_fits(function, kind, words):
    assert error_of(function, kind).endswith(words)


def notes(function, kind="attention", **options):
    return judge_kernel(Kernel(function), kind, diagnosing=False, **options).notes


def test_an_optional_argument_that_no_case_gives_is_said_once():
    def misspelt(q, k, v, softmax_scale=None):
        return attention(q, k, v)[0]

    def with_blocks(q, k, v, scale=None, block_size=64, softmax_scale=None):
        return attention(q, k, v, scale=scale)[0]

    def with_index(q, k, v, index=None):
        return attention(q, k, v)[0]

    (said,) = notes(misspelt, pattern="plain")
    assert said == "no case gives softmax_scale; did you mean scale?"
    assert notes(with_blocks, pattern="*") == ("no case gives block_size or softmax_scale",)
    assert notes(with_index, pattern="plain") == ("no case gives index",)  # without a table


def test_no_note_is_made_of_arguments_that_a_case_gives():
    assert notes(attention, pattern="plain") == ()
    assert notes(lambda **given: attention(**given)[0], pattern="plain") == ()


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda q, k, v: attention(q, k, v)[0],
         ["cases with table, index, mask or scale, which the function does not take"]),
        (lambda q, k, v, mask=None, scale=None: attention(q, k, v, None, None, mask, scale)[0],
         ["cases with table and index, which the function does not take"]),
        (lambda q, k, v, table, index: attention(q, k, v, table, index)[0],
         ["cases with mask or scale, which the function does not take",
          "cases without table and index, which the function needs"]),
    ],
)  # fmt: skip
def test_cases_are_left_out_in_a_line_per_reason(function, words):
    kind, kernel = KINDS["attention"], Kernel(function, "numpy")
    gradients, *left = left_out(kernel, kind, "float32")
    assert gradients.startswith("gradients")
    assert [line.split(maxsplit=1)[1] for line in left] == words
    counts = sum(int(line.split()[0]) for line in left)
    assert counts + len(cases_for(kernel, kind)) == len(kind.fitting(None))


def test_one_case_is_no_several(capsys):
    verdict = judge_kernel(Kernel(lambda q, k, v: attention(q, k, v)[0] + 1), pattern="plain")
    shown = text(verdict)
    assert "1 case, 1 wrong" in shown
    assert "1 of 1" not in shown and "wrong in" not in shown and "--case" not in shown
    several = text(judge_kernel(Kernel(lambda q, k, v: attention(q, k, v)[0] + 1)))
    assert "wrong in" in several and " 2 of 2 " in several and "alone: --case plain" in several


def test_the_values_of_an_element_are_below_its_place():
    for pattern in ("plain", "*"):
        verdict = judge_kernel(Kernel(lambda q, k, v: attention(q, k, v)[0] + 1), pattern=pattern)
        first, second = re.search(r"^(out .*?)\w+: batch .*\n( *)is ", text(verdict), re.M).groups()
        assert len(first) == len(second)


def test_only_a_kind_with_floats_has_a_dtype():
    for name, kind in KINDS.items():
        assert kind.of_scheme(None).takes_floats == (name not in ("index", "shift"))
    index = judge_kernel(Kernel(lambda window_size: np.zeros((1, 1), np.int64)), "index")
    assert ", index, scheme 2d, numpy arrays" in text(index)
    right = judge_kernel(Kernel(lambda q, k, v: attention(q, k, v)[0]), pattern="plain")
    assert ", attention in float32, numpy arrays" in text(right)


def test_the_case_to_look_at_has_several_tokens_and_the_most_wrong_tensors():
    """Not `one_token`, though smaller, nor the smallest of the others, where only out is wrong."""

    class Wrong:
        def __call__(self, q, k, v, table, index):
            out, cache = attention(q, k, v, table, index)
            return out + 1, (cache, q.shape[2] > 10)

        def backward(self, dout, cache):
            grads = attention_backward(dout, cache[0])
            return {name: grad + 1 for name, grad in grads.items()} if cache[1] else grads

    few = {"pattern": "*e*_[tk3]*", "quick": True, "diagnosing": False}
    verdict = judge_kernel(Kernel(Wrong()), **few)
    wrong = Counter(f.case for f in verdict.findings if not f.ok)
    assert (wrong["op-attention-one_token"], wrong["op-attention-more_keys_prefix"]) == (1, 1)
    assert wrong[verdict.smallest] == 5
    assert judge_kernel(Kernel(Wrong()), without="d*", **few).smallest == "op-attention-more_keys_prefix"
    alone = few | {"pattern": "one_token"}
    assert judge_kernel(Kernel(Wrong()), **alone).smallest == "op-attention-one_token"
    assert judge_kernel(Kernel(attention), **alone).smallest is None
