"""Bugs planted in three kernels, in NumPy, PyTorch and C, are judged wrong and named by `check`."""

import pytest

from .check.attention import ATTENTION
from .check.attention.mistakes import MISTAKES
from .check.kernel import Kernel
from .check.verdict import judge_kernel
from .planted import c_kernel, numpy_kernel, torch_kernel

KERNELS = {"numpy": numpy_kernel, "torch": torch_kernel, "c": c_kernel}
TEXTS = {mistake.__name__: mistake.__doc__ for mistake in MISTAKES}

# {bug: the mistake that is its diagnosis}; a table per kernel has what is its own
SAME = {
    "sign_flipped": "SignFlipped",
    "axes_swapped": "AxesSwapped",
    "columns_first": "ColumnsFirst",
    "stride_2w": "StrideOfWidthClamp",
    "stride_2w_minus_2": "StrideTooSmall",
    "row_late": "OneRowLateClamp",
    "row_early": "OneRowEarlyClamp",
    "not_shifted": "NotShiftedClamp",
    "shifted_by_size": "ShiftedBySizeClamp",
    "prefix_swapped": "PrefixRowsSwapped",
    "prefix_rows_first": "PrefixRowsFirst",
    "prefix_last": "PrefixTokensLast",
    "prefix_without_bias": "PrefixWithoutBias",
    "index_transposed": "IndexTransposed",
    "scale_on_bias": "ScaleOnBias",
    "scale_on_bias_forward": "ScaleOnBiasKept",
    "scale_twice": "ScaleTwice",
    "scale_twice_forward": "ScaleTwiceKept",
    "no_scale": "NoScale",
    "own_scale": "OwnScale",
    "no_bias": "NoBias",
    "bias_in_base_two": "BiasInBaseTwo",
    "no_mask": "NoMask",
    "bias_after_mask": "BiasAfterMask",
    "mask_replaces": "MaskReplaces",
    "mask_of_infinity": "MaskOfInfinity",
    "mask_of_wrong_window": "MaskOfWrongWindow",
    "mask_of_first_window": "MaskOfFirstWindow",
    "mask_transposed": "MaskTransposed",
    "heads_reversed": "HeadsReversed",
    "heads_shifted": "HeadsShifted",
    "heads_interleaved": "HeadsPermuted",
    "heads_permuted": "HeadsPermuted",
    "first_head": "FirstHeadForAll",
    "table_transposed": "TableTransposed",
    "bias_not_permuted": "BiasNotPermuted",
    "program_decoded": "ProgramDecoded",
    "softmax_over_queries": "SoftmaxOverQueries",
    "no_maximum": "NoMaximum",
    "no_delta": "NoDelta",
    "delta_without_weights": "DeltaWithoutWeights",
    "dq_without_scale": "DqWithoutScale",
    "dk_without_scale": "DkWithoutScale",
    "dq_scale_twice": "DqWithScaleTwice",
    "dk_scale_twice": "DkWithScaleTwice",
    "dv_over_queries": "DvOverQueries",
    "dtable_overwritten": "DtableOverwritten",
    "dtable_first_sample": "DtableOfFirstSample",
    "dtable_last_sample": "DtableOfLastSample",
    "dtable_summed_over_heads": "DtableSummedOverHeads",
    "dtable_averaged": "DtableAveraged",
    "dtable_with_scale": "DtableWithScale",
    "dtable_index_transposed": "IndexTransposedDtable",
}
OWN = {
    "numpy": {
        "keys_lost": "LastKeysLost16",
        "dtable_keys_lost": "LastKeysLostInDtable16",
        "queries_lost": "LastQueriesLost16",
        "padding_not_masked": "PaddingNotMasked16",
    },
    "torch": {
        "keys_lost": "LastKeysLost24",
        "dtable_keys_lost": "LastKeysLostInDtable24",
        "queries_lost": "LastQueriesLost24",
        "padding_not_masked": "PaddingNotMasked24",
    },
    "c": {
        "keys_lost": "LastKeysLost32",
        "dtable_keys_lost": "LastKeysLostInDtable32",
        "queries_lost": "LastQueriesLost8",
        "dtable_queries_lost": "LastQueriesLostInDtable8",
        "padding_not_masked": "PaddingNotMasked32",
        "first_tile_masked": "FirstTileMasked32",
        "not_rescaled": "NotRescaled32",
        "sum_not_rescaled": "SumNotRescaled32",
        "scale_grows": "ScaleGrows32",
        "bias_in_base_two": "BiasInBaseTwoKept",
        "scale_twice_forward": "ScaleTwiceForward",
        "backward_without_bias": "NoBiasBackward",
        "backward_without_mask": "NoMaskBackward",
        "dtable_stored": "DtableOfOnePair",
    },
}
# Of the pairs of a row PyTorch stores the last one on one thread, and any one on several.
SEVERAL_THREADS = {"torch": {"dtable_overwritten": "DtableOfOnePair"}}
# (kernel, bug, dtype, dtype of the sum)
LOW = [
    ("numpy", "dtable_float16", "float32", "float16"),
    ("torch", "dtable_bfloat16", "float32", "bfloat16"),
    ("torch", "dtable_half", "bfloat16", "bfloat16"),
    ("c", "dtable_bfloat16", "float32", "bfloat16"),
]
# In float32 the weights of a row that is masked throughout are denormal without the maximum, and all
# that they give is noise.
DTYPES = {"no_maximum": "float64"}
needs_compiler = pytest.mark.skipif(c_kernel.COMPILER is None, reason="there is no C compiler (cc, gcc)")
NAMES = [pytest.param(name, marks=needs_compiler if name == "c" else ()) for name in KERNELS]


PLANTED = [
    pytest.param(name, bug, marks=needs_compiler if name == "c" else (), id=f"{name}-{bug}")
    for name, kernel in KERNELS.items()
    for bug in sorted(kernel.BUGS - {bug for _, bug, *_ in LOW} - {"by_hand"})
]
PAIRS = [
    ("numpy", "sign_flipped+dk_without_scale"),
    ("numpy", "heads_interleaved+mask_of_wrong_window"),
    ("numpy", "scale_on_bias+no_delta"),
    ("torch", "axes_swapped+scale_twice"),
    ("torch", "index_transposed+mask_of_first_window"),
    ("torch", "dq_without_scale+dtable_summed_over_heads"),
    ("c", "prefix_swapped+sign_flipped"),
    ("c", "keys_lost+dk_without_scale"),
    ("c", "row_late+padding_not_masked"),
    ("c", "softmax_over_queries+first_head"),
]


def judged(name, bugs, dtype):
    return judge_kernel(Kernel(f"parity_tests.planted.{name}_kernel:{bugs}"), dtype=dtype, quick=True)


def expected(name, bugs):
    """Return the diagnoses that are right, each a set of texts."""
    tables = (SAME | OWN[name], SAME | OWN[name] | SEVERAL_THREADS.get(name, {}))
    return [{TEXTS[known[bug]] for bug in bugs.split("+")} for known in tables]


def assert_named(name, bugs, dtype):
    """Assert that these bugs are the only diagnosis, in all cases that are wrong."""
    verdict = judged(name, bugs, dtype)
    assert not verdict.ok
    (diagnosis,) = verdict.diagnoses
    assert set(diagnosis.texts) in expected(name, bugs)
    assert diagnosis.explained == diagnosis.failed


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", NAMES)
def test_the_kernels_without_bugs_are_right(name, dtype):
    verdict = judged(name, "right", dtype)
    assert verdict.ok
    assert {finding.row.tensor for finding in verdict.findings} == {"out", "dq", "dk", "dv", "dtable"}


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
@pytest.mark.parametrize("kernel", ["right", "by_hand"])
def test_the_torch_kernels_without_bugs_are_right(kernel, dtype):
    assert judged("torch", kernel, dtype).ok


@pytest.mark.parametrize(("name", "bug"), PLANTED)
def test_each_planted_bug_is_named(name, bug):
    assert_named(name, bug, DTYPES.get(bug, "float32"))


@pytest.mark.parametrize(
    ("name", "bugs"),
    [pytest.param(*pair, marks=needs_compiler if pair[0] == "c" else ()) for pair in PAIRS],
)
def test_two_planted_bugs_are_told_apart(name, bugs):
    assert_named(name, bugs, "float32")


@pytest.mark.skipif(
    not getattr(ATTENTION, "steps", ()), reason="steps in low precision are not known yet"
)
@pytest.mark.parametrize(
    ("name", "bug", "dtype", "low"),
    [pytest.param(*row, marks=needs_compiler if row[0] == "c" else ()) for row in LOW],
)
def test_a_sum_in_low_precision_is_named(name, bug, dtype, low):
    verdict = judged(name, bug, dtype)
    assert {finding.row.tensor for finding in verdict.findings if not finding.ok} == {"dtable"}
    words = {"float16": "float16 or TF32"}.get(low, low)
    assert [d.texts for d in verdict.diagnoses] == [(f"dtable is accumulated in {words}",)]


def test_a_bug_that_no_kernel_has_is_refused():
    with pytest.raises(AttributeError, match="no bug sign_fliped, only axes_swapped"):
        numpy_kernel.sign_fliped  # noqa: B018
