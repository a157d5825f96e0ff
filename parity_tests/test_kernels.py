"""The numba kernels against plain NumPy, and the same bits for any number of threads."""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numpy_ref
import numpy_ref.kernels as kernels
import numpy_ref.ops as ops

from . import budget
from .cases import CASES
from .rounded import RoundedOps, on_grid
from .run import given_of, run_numpy
from .verdict import judge
from .yardstick import yardsticks

ROOT = Path(__file__).parent.parent
ACCELERATED_OPS = {name.rsplit("_", 1)[0] for name in kernels.ACCELERATED}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_kernels_match_the_definition(case, dtype):
    given = given_of(case, dtype)
    definition, kernel = run_numpy(given, implementation="numpy"), run_numpy(given)
    assert {name: a.dtype for name, a in kernel.items()} == {n: a.dtype for n, a in definition.items()}
    for side, results in (("definition", definition), ("kernels", kernel)):
        over = [row for row in judge(case, dtype, results, side) if not row.ok]
        assert not over, over


def arguments(function):
    """Names and defaults; the types are written in `ops` alone."""
    return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]


def test_accelerated_lists_what_differs_from_the_definition():
    differing = {n for n in ops.__all__ if getattr(ops, n) is not getattr(kernels, n)}
    assert differing == set(kernels.ACCELERATED)
    for name in differing:
        assert arguments(getattr(ops, name)) == arguments(getattr(kernels, name))


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 40),
    heads=st.integers(1, 7),
    shape=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 2**32 - 1),
)
def test_gather_and_scatter_are_bitwise_the_definition(rows, heads, shape, dtype, seed):
    """Both add in the same order and in float64, so even the last bit must be equal."""
    rng = np.random.default_rng(seed)
    table = rng.standard_normal((rows, heads)).astype(dtype)
    index = rng.integers(0, rows, shape)
    dbias = rng.standard_normal((heads, *shape)).astype(dtype)
    np.testing.assert_array_equal(kernels.bias_forward(table, index), ops.bias_forward(table, index))
    np.testing.assert_array_equal(
        kernels.bias_backward(dbias, index, rows), ops.bias_backward(dbias, index, rows)
    )


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.tuples(st.integers(1, 3), st.sampled_from([64, 256, 259, 300])),
    swaps=st.integers(0, 9),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 2**32 - 1),
)
def test_runs_of_an_index_are_bitwise_the_definition(lengths, swaps, dtype, seed):
    """Runs of any length, falling, rising or constant; after swaps some are runs only by their ends."""
    rng = np.random.default_rng(seed)
    steps = np.repeat(rng.choice([-1, -1, 1, 0, 40], 999), rng.integers(1, 40, 999))
    index = np.cumsum(steps)[: np.prod(lengths)]
    index -= index.min()
    for place in rng.integers(0, len(index) - 1, swaps):
        index[place : place + 2] = index[place : place + 2][::-1].copy()
    index, rows = index.reshape(lengths), int(index.max()) + 1
    table = rng.standard_normal((rows, 2)).astype(dtype)
    dbias = rng.standard_normal((2, *lengths)).astype(dtype)
    np.testing.assert_array_equal(kernels.bias_forward(table, index), ops.bias_forward(table, index))
    np.testing.assert_array_equal(
        kernels.bias_backward(dbias, index, rows), ops.bias_backward(dbias, index, rows)
    )


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 9),
    heads=st.integers(1, 4),
    lengths=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    dim=st.integers(1, 5),
    shared=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_lookups_are_the_definition(rows, heads, lengths, dim, shared, seed):
    """The kernels do one product per query instead of gathering vectors; the results are equal."""
    rng = np.random.default_rng(seed)
    index = rng.integers(0, rows, lengths)
    embedding = rng.standard_normal((1 if shared else heads, rows, dim))
    for op, last in (("score", dim), ("value", lengths[1])):
        x = rng.standard_normal((2, heads, lengths[0], last))
        results = []
        for module in (ops, kernels):
            out, cache = getattr(module, f"{op}_lookup_forward")(x, embedding, index)
            dout = np.random.default_rng(seed).standard_normal(out.shape)
            results.append([out, *getattr(module, f"{op}_lookup_backward")(dout, cache)])
        for ours, kernel in zip(*results, strict=True):
            assert budget.float64("out", ours, kernel).ok


@pytest.mark.parametrize("shape", [(3001, 16), (7, 5000), (3, 40000), (2, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_multiplier_for_each_row_is_bitwise_the_definition(shape, dtype):
    """Short rows, of which a piece has many, and long ones, of which it has a part."""
    x, branch = np.random.default_rng(0).standard_normal((2, *shape)).astype(dtype)
    multiplier = np.random.default_rng(1).standard_normal((shape[0], 1)).astype(dtype)
    found = []
    for module in (ops, kernels):
        out, cache = module.residual_forward(x, branch, multiplier)
        found.append([out, *module.residual_backward(x, cache)])
    for ours, kernel in zip(*found, strict=True):
        np.testing.assert_array_equal(ours, kernel)


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    window=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    shift=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    batch_and_chans=st.sampled_from([(1, 1), (2, 5), (3, 16), (2, 40), (0, 3), (2, 0), (1, 1 << 15)]),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 2**32 - 1),
)
def test_moved_tokens_are_bitwise_the_definition(size, window, shift, batch_and_chans, dtype, seed):
    """Windows that divide the map and others, odd sizes, one token that is longer than a piece."""
    (batch, chans), shift = batch_and_chans, tuple(s % w for s, w in zip(shift, window, strict=True))
    size = size if chans < 1000 else (2, 1)
    x = np.random.default_rng(seed).standard_normal((batch, *size, 2 * chans)).astype(dtype)[..., ::2]
    found = []
    for module in (ops, kernels):
        windows, cut = module.window_partition_forward(x, window, shift)
        out, assembled = module.window_reverse_forward(windows, size, window, shift, residual=x)
        dwindows, dresidual = module.window_reverse_backward(x, assembled)
        merged, merging = module.patch_merging_forward(x)
        found.append([windows, out, dwindows, dresidual, module.window_partition_backward(windows, cut)])
        found[-1] += [merged, module.patch_merging_backward(merged, merging)]
    for ours, kernel in zip(*found, strict=True):
        assert kernel.flags.c_contiguous or kernel is dresidual or not kernel.size
        np.testing.assert_array_equal(ours, kernel)


@pytest.mark.parametrize("entry", [np.inf, np.nan, 3e38, 1e30, 1e-30])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_cosine_is_finite_where_the_definition_is(entry):
    """Infinite entries, ones whose square is infinite in float32, and a row whose x·dx̂ is."""
    q, k, *dout = np.random.default_rng(0).standard_normal((4, 2, 3, 5, 20), np.float32)
    k[1, 2, 3, 4], q[0, 1, 2] = entry, np.copysign(np.float32(entry), dout[0][0, 1, 2])
    found = []
    for module in (ops, kernels):
        out, cache = module.cosine_forward(q, k, np.ones((3, 1, 1), np.float32))
        grads = module.cosine_backward(tuple(dout), cache)
        found.append([np.isfinite(a) for a in (*out, *grads)])
    for ours, kernel in zip(*found, strict=True):
        np.testing.assert_array_equal(ours, kernel)


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(st.integers(0, 3), st.integers(1, 4), st.integers(0, 9), st.integers(0, 40)),
    axes=st.permutations(range(4)),
    step=st.integers(1, 2),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 2**32 - 1),
)
def test_merged_heads_are_bitwise_the_definition(shape, axes, step, dtype, seed):
    """q, k and v of any layout: transposed, and every other element of the last axis."""
    rng, parts = np.random.default_rng(seed), []
    for _ in range(3):
        stored = rng.standard_normal([shape[a] * (step if a == 3 else 1) for a in axes]).astype(dtype)
        parts.append(stored.transpose(np.argsort(axes))[..., ::step])
    np.testing.assert_array_equal(kernels.merge_qkv(*parts), ops.merge_qkv(*parts))


@pytest.fixture
def threads():
    """Return set_num_threads; restore the number afterwards."""
    before = numpy_ref.num_threads()
    yield numpy_ref.set_num_threads
    numpy_ref.set_num_threads(before)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_bits_do_not_depend_on_the_threads(case, dtype, threads):
    """Every case gives the same bits with 1, 2 and 5 threads."""
    results, given = [], given_of(case, dtype)
    for count in (1, 2, 5):
        threads(count)
        results.append(run_numpy(given))
    for name in results[0]:
        for other in results[1:]:
            np.testing.assert_array_equal(results[0][name], other[name], err_msg=name)


@pytest.mark.parametrize("shape", [(1, 8), (5, 70, 24)])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_layer_norm_adds_what_comes_past_it(shape, dtype):
    """With dresidual, dx is the plain dx + dresidual, in plain NumPy and in the kernels."""
    rng = np.random.default_rng(0)
    drawn = [*rng.standard_normal((3, *shape)), *rng.standard_normal((2, shape[-1]))]
    given = [budget.rounded(a, dtype) for a in drawn]  # x, dout, dresidual, weight, bias
    truth = {"dx": _past_the_norm(ops, *given)[0]}
    costs = yardsticks(
        truth,
        lambda rounding: {"dx": _past_the_norm(RoundedOps(rounding), *on_grid((*given,), rounding))[1]},
        "float32",
    )
    for module in (ops, kernels):
        _, dx = _past_the_norm(module, *(a.astype(dtype) for a in given))
        yardstick = None if dtype == "float64" else costs["dx"]
        assert budget.row("dx", truth["dx"], dx, yardstick).ok


def _past_the_norm(module, x, dout, dresidual, weight, bias):
    """Return (plain dx + dresidual, dx computed with dresidual); check the other gradients."""
    _, cache = module.layer_norm_forward(x, weight, bias)
    alone, both = (module.layer_norm_backward(dout, cache, past) for past in (None, dresidual))
    assert all((a == b).all() for a, b in zip(alone[1:], both[1:], strict=True))
    with pytest.raises(ValueError, match=r"dresidual has shape \(2, 3\)"):
        module.layer_norm_backward(dout, cache, np.ones((2, 3), dout.dtype))
    with pytest.raises(TypeError, match="dresidual has dtype int64"):
        module.layer_norm_backward(dout, cache, np.ones(x.shape, int))
    return alone.dx + dresidual, both.dx


def test_runs_without_the_jit():
    """The index has rising runs, falling runs, and rows that are no run."""
    code = (
        "import numpy as np, numpy_ref.kernels as k, numpy_ref.ops as o\n"
        "t, i = np.arange(24.).reshape(12, 2), np.array([np.r_[:9], np.r_[11:2:-1], np.r_[:9] % 4])\n"
        "d = o.bias_forward(t, i) ** 2\n"
        "assert (k.bias_forward(t, i) == o.bias_forward(t, i)).all()\n"
        "assert (k.bias_backward(d, i, 12) == o.bias_backward(d, i, 12)).all()\n"
    )
    env = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, check=True)


def test_cosine_of_rows_whose_norm_overflows():
    """x is finite and its norm is not: the unit vector is 0, and so is the gradient."""
    q, k = np.full((1, 1, 2, 5), 1e30, np.float32), np.ones((1, 1, 2, 5), np.float32)
    for module in (ops, kernels):
        with np.errstate(over="ignore"):
            (out, _), cache = module.cosine_forward(q, k, np.zeros((1, 1, 1), np.float32))
            grads = module.cosine_backward((q, k), cache)
        assert not out.any()
        assert not grads.dq.any()
        assert grads.dlogit_scale == 0
