"""The numba kernels against the plain definition, and the same bits for any number of threads."""

import inspect
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

import numpy_ref.kernels as kernels
import numpy_ref.ops as ops
from numpy_ref.kernels import _chunks
from numpy_ref.kernels._jit import MIN_PARALLEL

from . import budget
from .cases import CASES
from .run import inputs_of, run_numpy, state_of

ROOT = Path(__file__).parent.parent
ACCELERATED_OPS = {name.rsplit("_", 1)[0] for name in kernels.ACCELERATED}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_kernels_match_the_definition(case, dtype):
    inputs, state = inputs_of(case, dtype), state_of(case, dtype)
    truth = run_numpy(case, inputs, state, "float64", "numpy")
    definition = run_numpy(case, inputs, state, dtype, "numpy")
    kernel = run_numpy(case, inputs, state, dtype, "numba")
    assert truth.keys() == definition.keys() == kernel.keys()
    for name in truth:
        assert kernel[name].dtype == definition[name].dtype
        if dtype == "float64":
            row = budget.float64(name, truth[name], kernel[name])
        else:
            row = budget.two_sided(name, truth[name], (definition[name], kernel[name]), dtype)
        assert row.ok, row


def test_accelerated_lists_what_differs_from_the_definition():
    differing = {n for n in ops.__all__ if getattr(ops, n) is not getattr(kernels, n)}
    assert differing == set(kernels.ACCELERATED)
    for name in differing:
        assert inspect.signature(getattr(ops, name)) == inspect.signature(getattr(kernels, name))


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 40),
    heads=st.integers(1, 7),
    shape=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 2**32 - 1),
)
def test_gather_and_scatter_are_bitwise_the_definition(rows, heads, shape, dtype, seed):
    """Both sum in the same order, in float64, so not even the last bit may differ."""
    rng = np.random.default_rng(seed)
    table = rng.standard_normal((rows, heads)).astype(dtype)
    index = rng.integers(0, rows, shape)
    dbias = rng.standard_normal((heads, *shape)).astype(dtype)
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
    """Through one product a query instead of the gathered vectors, for any sizes."""
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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bits_do_not_depend_on_the_threads(dtype):
    if numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("NUMBA_NUM_THREADS is set to 1")
    rng = np.random.default_rng(0)
    table, index = rng.standard_normal((225, 8)).astype(dtype), rng.integers(0, 225, (128, 128))
    dbias = rng.standard_normal((8, 128, 128)).astype(dtype)
    x = rng.standard_normal((300, 400)).astype(dtype)
    p, vectors = dbias[None, :, :96], rng.standard_normal((1, 225, 3)).astype(dtype)
    assert min(dbias.size, x.size, p.size) >= MIN_PARALLEL  # the parallel version is the one at work
    results = []
    for threads in (1, 2):
        numba.set_num_threads(threads)
        out, cache = kernels.gelu_forward(x)
        looked_up, lookup = kernels.value_lookup_forward(p, vectors, index[:96])
        results.append(
            [
                kernels.bias_forward(table, index),
                kernels.bias_backward(dbias, index, 225),
                out,
                kernels.gelu_backward(x, cache),
                looked_up,
                *kernels.value_lookup_backward(looked_up, lookup),
            ]
        )
    numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
    for one, two in zip(*results, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_in_pieces_have_the_same_bits_on_any_number_of_threads(dtype, monkeypatch):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((700, 300)).astype(dtype), rng.standard_normal((300, 500)).astype(dtype)
    assert 2 * a.size * b.shape[1] >= 4 * _chunks.CHUNK_FLOPS  # several pieces
    results = []
    for threads in (1, 2, 3):
        with ThreadPoolExecutor(threads) as pool, threadpool_limits(1, "blas"):
            monkeypatch.setattr(_chunks, "_pool", lambda pool=pool: pool)
            results.append(_chunks.matmul(a, b))
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])
    assert budget.two_sided("out", a.astype(float) @ b.astype(float), (a @ b, results[0]), "float32").ok


@pytest.mark.parametrize("module", [ops, kernels], ids=["ops", "kernels"])
@pytest.mark.parametrize("bad", [-1, 5])
def test_an_index_outside_the_table_is_an_error(module, bad):
    table, index = np.ones((5, 2)), np.zeros((3, 3), int)
    index[1, 2] = bad
    with pytest.raises(ValueError, match=r"index has entries in .*expected \[0, 5\)"):
        module.bias_forward(table, index)
    with pytest.raises(ValueError, match=r"index has entries"):
        module.bias_backward(np.ones((2, 3, 3)), index, 5)


@pytest.mark.parametrize("module", [ops, kernels], ids=["ops", "kernels"])
def test_wrong_arguments_are_named(module):
    table, index = np.ones((5, 2)), np.zeros((3, 3), int)
    with pytest.raises(TypeError, match="table has dtype float16"):
        module.bias_forward(table.astype(np.float16), index)
    with pytest.raises(TypeError, match="index has dtype float64"):
        module.bias_forward(table, index.astype(float))
    with pytest.raises(ValueError, match=r"dbias has shape \(2, 3, 4\)"):
        module.bias_backward(np.ones((2, 3, 4)), index, 5)
    q = np.ones((1, 2, 3, 4))
    with pytest.raises(ValueError, match="table and index belong together"):
        module.attention_forward(q, q, q, table=table)
    with pytest.raises(ValueError, match="mask has shape"):
        module.attention_forward(q, q, q, mask=np.ones((4, 3)))
    with pytest.raises(TypeError, match="share one dtype"):
        module.attention_forward(q, q, q.astype(np.float32))


def test_runs_without_the_jit():
    code = (
        "import numpy as np, numpy_ref.kernels as k, numpy_ref.ops as o\n"
        "t, i = np.arange(12.).reshape(6, 2), np.arange(6).reshape(2, 3)\n"
        "assert (k.bias_forward(t, i) == o.bias_forward(t, i)).all()\n"
        "assert (k.bias_backward(o.bias_forward(t, i), i, 6) == t).all()\n"
        "assert np.array_equal(k.gelu_forward(t)[0], o.gelu_forward(t)[0])\n"
    )
    env = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, check=True)
