"""What docs/conformance.md defines is what the twins compute: its blocks run here, for all cases."""

from fractions import Fraction

import numpy as np
import pytest
import torch

import numpy_ref
from numpy_ref.position._irpe_buckets import buckets

from . import budget
from .both import TWINS, array, tensor
from .cases import CASES
from .conformance import INDICES, defined
from .errors import Measures
from .run import given_of
from .test_geometry import DRAWS, Draws
from .verdict import truth_of
from .yardstick import Yardstick

ROUNDS = 12
OF_INDEX = {
    *("causal", "stride", "halo_size", "method", "ratio", "num_buckets", "max_distance"),
    "bidirectional",
}


@pytest.fixture(scope="module")
def page():
    """What the page's blocks define."""
    return defined()


def of(name, *without):
    """Return the ops' cases of this name whose inputs are all on the page."""
    cases = [case for case in CASES if case.kind in ("op", "function") and case.name == name]
    return [case for case in cases if not {*case.inputs, *case.options} & set(without)]


def each(cases):
    return pytest.mark.parametrize("case", cases, ids=[case.id for case in cases])


def same(ours, theirs):
    np.testing.assert_array_equal(ours, array(theirs))


# attention and bias


@each(of("attention", "bias", "dropout", "value_embedding"))
def test_attention(page, case):
    given, (truth, _) = given_of(case, "float64"), truth_of(case, "float64")
    arguments = given.inputs | case.options
    out, p = page.attention(**arguments)
    (dout,) = given.cotangents([truth["out"]])
    results = {"out": out} | page.attention_backward(dout, p, **arguments)
    assert results.keys() == truth.keys()
    for name, result in results.items():
        assert budget.float64(name, truth[name], result).ok, name


@pytest.mark.parametrize(
    "shape", [(5, 7), (7,), (1, 7), (3, 5, 7), (1, 5, 1), (2, 1, 5, 7), (6, 3, 5, 1)]
)
def test_every_shape_of_a_mask(page, shape):
    rng = np.random.default_rng(0)
    q, k, v = (rng.standard_normal((6, 3, length, 4)) for length in (5, 7, 7))
    mask = np.where(rng.random(shape) < 0.4, -100.0, 0.0)
    expected = numpy_ref.ops.attention_forward(q, k, v, mask=mask)[0]
    assert budget.float64("out", expected, page.attention(q, k, v, mask=mask)[0]).ok


@each(of("bias"))
def test_bias(page, case):
    given, (truth, _) = given_of(case, "float64"), truth_of(case, "float64")
    same(page.bias(**given.inputs), truth["out"])
    (dout,) = given.cotangents([truth["out"]])
    found = page.bias_backward(dout, given.inputs["index"], len(given.inputs["table"]))
    assert budget.float64("dtable", truth["dtable"], found).ok


# indices


def index_of_scheme(scheme, sizes):
    """Return the scheme's index, or two where it reads two rows."""
    rows = getattr(scheme, "_bucket_rows", None)
    if rows is not None:
        device = () if isinstance(scheme.index, np.ndarray) else (scheme.index.device,)
        read, index = map(array, rows.joint(*sizes[:2], *device))
        return read[:, index] if rows.method == "cross" else read[0][index]
    index = array(scheme.lookup(*sizes)[1] if hasattr(scheme, "lookup") else scheme.indices(*sizes))
    return index[0] if index.ndim == 3 and len(index) == 1 else index


def on_page(page, bias_type, scheme, options, sizes):
    """Return the page's index for the sizes of a scheme."""
    function = getattr(page, INDICES[bias_type] or f"{bias_type}_index")
    own = {name: value for name, value in options.items() if name in OF_INDEX}
    if "ratio" in own:
        own["ratio"] = Fraction(str(own["ratio"]))
    if sizes != scheme.sizes():
        own |= dict(zip(("q_size", "k_size", "q_offset"), sizes, strict=True))
    return function(scheme.window_size, scheme.num_prefix_tokens, **own)


def compare_index(page, twin, bias_type, window, options, call):
    scheme = twin.RelativePositionBias(4, window, bias_type, dtype="float64", **options)
    for sizes in (scheme.sizes(), scheme.sizes(**call)):
        found = on_page(page, bias_type, scheme, options, sizes)
        np.testing.assert_array_equal(found, index_of_scheme(scheme, sizes), str((options, sizes)))


@TWINS
@pytest.mark.parametrize("bias_type", INDICES)
def test_index_of_the_cases(page, twin, bias_type):
    cases = [case for case in CASES if case.kind == "scheme" and case.name == bias_type]
    assert cases
    for case in cases:
        options = {n: v for n, v in case.options.items() if n not in ("num_heads", "bias_type")}
        compare_index(page, twin, bias_type, options.pop("window_size"), options, case.call)


@TWINS
@pytest.mark.parametrize("bias_type", INDICES)
def test_index_of_any_sizes_and_options(page, twin, bias_type):
    draw = Draws(np.random.default_rng(3))
    for _ in range(ROUNDS):
        window, options, call = DRAWS[bias_type](draw)
        if "ratio" in options:  # a fraction that can be raised to its own numerator
            options["ratio"] = round(options["ratio"] + 0.1, 1)
        if options.get("num_buckets", 0) > 100:
            continue  # their powers take long
        compare_index(page, twin, bias_type, window, options, call)


@pytest.mark.parametrize("ratio", [0.5, 1, 1.5, 1.9, 2, 4.5])
def test_bucket_of_irpe(page, ratio):
    """With the ratios 1.5 and 4.5 there are numbers just between two buckets."""
    x = np.arange(-300, 301)
    offsets = np.stack([x, 0 * x], axis=-1)[None]
    theirs = buckets(offsets, "cross", ratio)[0, 0] - int(2 * ratio)
    same([page.irpe_g(n, Fraction(str(ratio))) for n in x.tolist()], theirs)


def test_every_scheme_with_an_index_of_its_own_is_on_the_page():
    assert numpy_ref.SCHEMES.keys() - INDICES.keys() == {"custom", "sum", "fire"}


@each([case for case in of("attention") if getattr(case.inputs.get("index"), "grids", None)])
def test_index_between_two_grids(page, case):
    index = case.inputs["index"]
    q_size, k_size, prefix = index.grids
    same(page.grids_index(q_size, k_size, prefix), index.values)


def test_maxvit_table(page):
    scheme = numpy_ref.RelativePositionBias(3, (2, 4), "maxvit", dtype="float64")
    same(page.maxvit_table(scheme.relative_position_bias_table.data), scheme.table())


# windows

SIZES = [(1, 1), (4, 4), (5, 7), (6, 2), (3, 9), (8, 5)]
CUTS = [(2, 1), (3, 2), (4, 0), ((2, 3), (1, 2)), ((4, 2), (0, 1)), ((3, 5), (2, 0))]
each_cut = pytest.mark.parametrize(("size", "cut"), [(size, cut) for size in SIZES for cut in CUTS])


@TWINS
@each_cut
def test_windows_and_back(page, twin, size, cut):
    x = np.random.default_rng(0).standard_normal((2, *size, 3))
    windows = page.partition(x, *cut)
    ops = twin.ops
    if twin is numpy_ref:
        same(windows, ops.window_partition_forward(x, *cut)[0])
        theirs = ops.window_reverse_forward(windows + 1, size, *cut, x)[0]
    else:
        same(windows, ops.window_partition(torch.from_numpy(x), *cut))
        given = torch.from_numpy(windows + 1), size, *cut, torch.from_numpy(x)
        theirs = ops.window_reverse(*given)
    same(page.reverse(windows + 1, size, *cut, x), theirs)


@each_cut
def test_gradients_of_windows(page, size, cut):
    rng = np.random.default_rng(0)
    ops, x = numpy_ref.ops, rng.standard_normal((2, *size, 3))
    windows, cache = ops.window_partition_forward(x, *cut)
    dout = rng.standard_normal(windows.shape)
    same(page.reverse(dout, size, *cut), ops.window_partition_backward(dout, cache))
    cache = ops.window_reverse_forward(windows, size, *cut)[1]
    same(page.partition(x, *cut), ops.window_reverse_backward(x, cache).dwindows)


@TWINS
@each_cut
def test_shift_mask(page, twin, size, cut):
    ours, theirs = page.shift_mask(size, *cut), twin.ops.window_mask(size, *cut)
    assert (ours is None) == (theirs is None)
    if ours is not None:
        same(ours, theirs)


# resizing


@each(of("resize_table"))
def test_resize(page, case):
    given, (truth, _) = given_of(case, "float64"), truth_of(case, "float64")
    options = case.options
    assert budget.float64("out", truth["out"], page.resize(given.inputs["table"], **options)).ok
    (dout,) = given.cotangents([truth["out"]])
    found = page.resize(dout, **options, backward=True)
    assert budget.float64("dtable", truth["dtable"], found).ok


@TWINS
@pytest.mark.parametrize("method", ["bicubic", "linear", "geometric"])
@pytest.mark.parametrize(
    ("old", "new"), [(1, 4), (4, 1), (2, 3), (3, 2), (5, 5), (7, 12), (16, 9), (8, 40)]
)
def test_resize_of_any_size(page, twin, method, old, new):
    table = np.random.default_rng(0).standard_normal(((2 * old - 1) * 3 + 3, 2))
    windows = (old, 2), (new, 2)
    given = tensor(twin, table)
    expected = array(twin.resize_table(given, *windows, method=method, num_prefix_tokens=1))
    assert budget.float64("out", expected, page.resize(table, *windows, method, 1)).ok


# judging


@pytest.mark.parametrize("factor", [0.3, 0.9, 1.1, 3])
def test_the_pages_judge_is_the_projects(page, factor):
    rng = np.random.default_rng(0)
    truth, spread = rng.standard_normal((4, 50)), rng.uniform(1e-6, 1e-5, (4, 50))
    off, cost = spread * rng.standard_normal((4, 50)), Measures(2.0, 0.9, 1e-6)
    many = 2.7 * spread * rng.choice([-1, 1], (4, 50))  # at the limit of "typical" only
    for error in (off, np.where(np.arange(50) == 3, 6 * spread, 0), many, 3e-6 * truth):
        yardstick = Yardstick(truth, spread, cost)
        expected = budget.within_rounding("out", yardstick, truth + factor * error).ok
        assert page.is_right(truth + factor * error, truth, "rounding", spread, cost) == expected


def test_the_pages_judge_refuses_what_is_not_finite(page):
    truth, spread, cost = np.array([1.0, -np.inf]), np.ones(2), (1e9, 1e9, 1e9)
    for rule in ("float64", "rounding"):
        for wrong in ([np.nan, -np.inf], [1, np.nan], [1, np.inf], [1, -1e300], [np.inf, -np.inf], [1]):
            assert not page.is_right(np.array(wrong), truth, rule, spread, cost)
        assert page.is_right(truth, truth, rule, spread, cost)


def test_half_is_decoded(page):
    bits = np.arange(2**16, dtype=np.uint16)
    np.testing.assert_array_equal([page.half(b) for b in bits.tolist()], bits.view(np.float16))
