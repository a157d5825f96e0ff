"""`check --kind index`: right index functions are right, each known bug shows and is named."""

import inspect

import numpy as np
import pytest
import torch

import numpy_ref
import torch_impl

from .both import array
from .cases import Case
from .check.__main__ import main
from .check.attention import ATTENTION
from .check.index import (
    INDEX,
    bucket_mistakes,
    grid_mistakes,
    prefix_mistakes,
    t5_mistakes,
    table_mistakes,
)
from .check.index.cases import truth_of
from .check.index.grid_mistakes import Overflow
from .check.index.schemes import SCHEMES, mistakes_of
from .check.index.t5_mistakes import EdgesInFloat
from .check.kernel import Kernel
from .check.templates import template
from .check.verdict import judge_kernel

FUNCTIONS = "parity_tests.index_functions_to_check"
LOOPS = {
    **dict.fromkeys(("1d", "2d", "3d"), "window"),
    **dict.fromkeys(("t5", "gated_t5"), "t5"),
    **dict.fromkeys(("irpe", "irpe_bias"), "irpe"),
    **{name: name for name in ("maxvit", "levit", "shaw", "decomposed", "halo")},
}
# One scheme for each list of mistakes.
FAMILIES = ("1d", "2d", "3d", "maxvit", "levit", "t5", "shaw", "irpe", "decomposed", "halo")
FAMILIES += ("log_cpb", "dynamic_1d", "alibi")


def judged(function, scheme, quick=True):
    """Return the verdict on a function that takes all arguments of the scheme."""
    return judge_kernel(Kernel(function), "index", quick=quick, scheme=scheme)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_functions_in_plain_loops_are_right(scheme):
    kernel = Kernel(f"{FUNCTIONS}:{LOOPS.get(scheme, 'offsets')}")
    verdict = judge_kernel(kernel, "index", scheme=scheme)
    assert verdict.ok
    assert not verdict.left_out
    assert len(verdict.findings) == len(INDEX.of_scheme(scheme).cases) > 7


@pytest.mark.parametrize("twin", [numpy_ref, torch_impl], ids=["numpy", "torch"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_twins_are_right(twin, scheme):
    def index(window_size, q_size=None, k_size=None, q_offset=0, **options):
        if twin.SCHEMES[scheme].looks_at_query:
            options["head_dim"] = 2
        module = twin.RelativePositionBias(2, window_size, scheme, **options)
        sizes = module.sizes(q_size, k_size, q_offset)
        if options.get("method") == "cross":
            device = () if twin is numpy_ref else (torch.device("cpu"),)
            rows, joint = module._bucket_rows.joint(*sizes[:2], *device)
            return array(rows)[:, array(joint)]
        return array(module.make_index(*sizes))

    verdict = judged(index, scheme, quick=False)
    assert verdict.ok


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_definition_is_the_truth(scheme):
    for case in INDEX.of_scheme(scheme).cases:
        np.testing.assert_array_equal(SCHEMES[scheme](None, **case.options).out(), truth_of(case))


def named(scheme):
    return [pytest.param(scheme, m, id=f"{scheme}-{n}-{m.__name__}") for n, m in _numbered(scheme)]


def _numbered(scheme):
    return enumerate(m for m in mistakes_of(scheme) if not issubclass(m, EdgesInFloat))


@pytest.mark.parametrize(
    ("scheme", "mistake"),
    [each for scheme in FAMILIES for each in named(scheme)],
)
def test_each_mistake_shows_and_is_named(scheme, mistake):
    """No other mistake gives the same index in all cases that it makes wrong."""
    quick = not issubclass(mistake, Overflow)  # that needs many rows
    verdict = judged(lambda **given: mistake(None, **given).result("out"), scheme, quick)
    assert not verdict.ok
    (diagnosis,) = verdict.diagnoses
    assert diagnosis.texts == (mistake.__doc__,)
    assert diagnosis.explained == diagnosis.failed
    assert diagnosis.difference == 0


@pytest.mark.parametrize(
    "module", [bucket_mistakes, grid_mistakes, prefix_mistakes, t5_mistakes, table_mistakes]
)
def test_every_known_bug_is_tried(module):
    tried = [mistake for scheme in FAMILIES for mistake in mistakes_of(scheme)]
    bugs = [x for x in vars(module).values() if getattr(x, "__module__", "") == module.__name__]
    assert len(bugs) > 9
    for bug in filter(inspect.isclass, bugs):
        assert any(issubclass(mistake, bug) for mistake in tried), bug


@pytest.mark.parametrize(
    ("function", "scheme", "bugs"),
    [
        ("swin_of_xy", "2d", ("the tokens are counted column by column", "the index has no rows")),
        ("nnformer", "3d", ("the strides are 3h − 1 and 2h − 1",)),
        ("t5_of_torch", "t5", ("the sign of the offset is flipped",)),
        ("transposed_at_columns", "2d", ("the index is transposed", "the tokens are counted column")),
    ],
)
def test_bugs_of_functions_as_people_write_them_are_named(function, scheme, bugs):
    verdict = judge_kernel(Kernel(f"{FUNCTIONS}:{function}"), "index", scheme=scheme)
    assert not verdict.ok
    assert any(_names(diagnosis, bugs) for diagnosis in verdict.diagnoses)
    assert all(diagnosis.explained == diagnosis.failed for diagnosis in verdict.diagnoses)


def _names(diagnosis, bugs):
    texts = sorted(diagnosis.texts)
    return len(texts) == len(bugs) and all(map(str.startswith, texts, sorted(bugs)))


def test_a_function_of_fewer_arguments_is_asked_fewer_cases():
    verdict = judge_kernel(Kernel(f"{FUNCTIONS}:only_squares"), "index")
    assert verdict.ok
    (left_out,) = verdict.left_out
    count, words = left_out.split(maxsplit=1)
    assert len(verdict.findings) + int(count) == len(INDEX.of_scheme("2d").cases)
    assert words == "cases with num_prefix_tokens, q_size or k_size, which the function does not take"


def test_a_function_without_defaults_gets_every_argument():
    verdict = judge_kernel(Kernel(f"{FUNCTIONS}:needs_all"), "index", scheme="1d")
    assert verdict.ok
    assert len(verdict.findings) == len(INDEX.of_scheme("1d").cases)


def test_t5_does_not_need_a_window():
    verdict = judge_kernel(Kernel(f"{FUNCTIONS}:t5_by_sizes"), "index", scheme="t5")
    assert verdict.ok
    without_window = [
        c for c in INDEX.of_scheme("t5").cases if not {"num_prefix_tokens", "q_offset"} & {*c.options}
    ]
    assert len(verdict.findings) == len(without_window)


def test_the_command_says_what_is_wrong_and_whose_order_it_is(capsys):
    assert main([f"{FUNCTIONS}:swin_of_other_sign", "--kind", "index"]) == 1
    shown = capsys.readouterr().out
    assert "the sign of the offset is flipped" in shown
    assert "your results agree exactly" in shown
    words = " ".join(shown.split())
    assert "index(window_size=(3, 5))[0, 1] is 23, expected 21: query at (0, 0), key at (0, 1)" in words
    assert "it is 'maxvit'" in shown


def test_the_template_is_right_and_its_errors_are_found(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(text := template("index", "numpy"))
    assert judge_kernel(Kernel(f"{path}:index"), "index").ok
    path.write_text(text.replace("first + 1, first + 2", "first + 2, first + 1"))
    verdict = judge_kernel(Kernel(f"{path}:index"), "index")
    assert not verdict.ok
    (diagnosis,) = verdict.diagnoses
    assert diagnosis.texts == ("prefix→token, token→prefix, prefix→prefix read R + 0, R + 2, R + 1",)
    assert verdict.remarks[0].endswith("is 2, expected 3: query a prefix token, key a prefix token")


@pytest.mark.parametrize("function", ["nested_lists", "tuple_of_arrays"])
def test_lists_and_tuples_are_taken_for_arrays(function):
    assert judge_kernel(Kernel(f"{FUNCTIONS}:{function}"), "index", scheme="decomposed").ok


def test_an_error_of_the_function_is_its_finding():
    verdict = judge_kernel(Kernel(f"{FUNCTIONS}:only_oblong"), "index", quick=True)
    assert not verdict.ok
    assert any("no square" in finding.problem for finding in verdict.findings)
    assert not verdict.remarks


def test_a_wrong_shape_is_said(capsys):
    assert main([f"{FUNCTIONS}:swin_of_xy", "--kind", "index", "--quick"]) == 1
    shown = capsys.readouterr().out
    assert "index(window_size=(1, 1), num_prefix_tokens=1) has shape (1, 1), expected (2, 2)" in shown


def test_the_command_says_that_an_index_is_right(capsys):
    assert main([f"{FUNCTIONS}:levit", "--kind", "index", "--scheme", "levit"]) == 0
    assert "scheme levit" in (shown := capsys.readouterr().out)
    assert "right: all results are equal, bit for bit" in shown
    assert "gradients" not in shown


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        ("index", "one of 1d, 2d, 3d, maxvit, levit, t5"),
        ("attention", "one of 2d, 1d, t5, 3d, levit"),
        ("windows", "none"),
    ],
)
def test_an_unknown_scheme_lists_the_known_ones(kind, known, capsys):
    with pytest.raises(SystemExit):
        main([f"{FUNCTIONS}:levit", "--kind", kind, "--scheme", "swin"])
    message = capsys.readouterr().err
    assert f"scheme is 'swin', expected {known}" in message


# The arguments of an index function that returns the index of an attention case without grids.
OF_ATTENTION = {
    "1d_cache": {"window_size": (11,), "q_size": (3,), "k_size": (11,), "q_offset": 8},
    "t5_buckets": {"window_size": (24,), "num_buckets": 12, "max_distance": 24},
    "t5_causal": {
        "window_size": (20,),
        "num_buckets": 6,
        "max_distance": 24,
        "bidirectional": False,
    },
    "3d_2x3x4": {"window_size": (2, 3, 4)},
    "levit_stride_2": {"window_size": (5, 4), "stride": 2},
}


@pytest.mark.parametrize("scheme", ["t5", "1d", "3d", "levit", "2d"])
def test_attention_is_asked_the_cases_of_one_scheme(scheme):
    """Their indices are those of the scheme, and their tables have its rows."""
    kind = ATTENTION.of_scheme(scheme)
    assert 0 < len(kind.cases) < len(ATTENTION.cases)
    for case in kind.cases:
        fixed = case.inputs["index"]
        given = OF_ATTENTION[case.variant] if fixed.grids is None else _of_window(*fixed.grids)
        assert fixed.scheme == scheme
        np.testing.assert_array_equal(fixed.values, truth_of(Case("index", scheme, "", {}, given)))
        module = numpy_ref.RelativePositionBias(1, bias_type=scheme, **_constructor(given))
        assert case.inputs["table"].shape[0] == len(module.relative_position_bias_table.data)


def _of_window(queries, keys, prefix):
    assert queries == keys
    return {"window_size": queries, "num_prefix_tokens": prefix}


def _constructor(given):
    return {n: x for n, x in given.items() if n not in ("q_size", "k_size", "q_offset")}
