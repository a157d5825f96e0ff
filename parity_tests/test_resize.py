"""`resize_table` and `resize_pos_embed`: both twins, the adjoints, and figures worked out by hand."""

import hashlib

import numpy as np
import pytest
import torch

import numpy_ref
import torch_impl
from numpy_ref import resize

from . import budget
from .both import TWINS, array, normal, tensor

METHODS = ("bicubic", "geometric", "linear")
WINDOWS = [
    ((3,), (7,)),
    ((9,), (2,)),
    ((4, 4), (6, 6)),
    ((7, 7), (12, 12)),
    ((7, 7), (3, 3)),
    ((3, 5), (4, 2)),
    ((4, 6), (4, 9)),
    ((1, 3), (4, 5)),
    ((3, 3), (1, 4)),
    ((2, 2), (9, 9)),
    ((2, 3, 4), (3, 3, 7)),
    ((2, 2, 2, 2), (3, 1, 2, 4)),
]
each_method = pytest.mark.parametrize("method", METHODS)
each_window = pytest.mark.parametrize(("old", "new"), WINDOWS)
each_prefix = pytest.mark.parametrize("prefix", [0, 2])


def num_rows(window, prefix=0):
    return int(np.prod([2 * size - 1 for size in window])) + (3 if prefix else 0)


def assert_close(ref, other):
    row = budget.float64("", ref, other)
    assert row.ok, row


def gradient(function, x, dout, *arguments):
    """Return PyTorch's output and gradient."""
    x = torch.tensor(x, requires_grad=True)
    out = function(x, *arguments)
    (dx,) = torch.autograd.grad(out, x, torch.tensor(dout))
    return out.detach().numpy(), dx.numpy()


@each_method
@each_window
@each_prefix
def test_twins_agree_on_tables(method, old, new, prefix):
    table, dout = normal(num_rows(old, prefix), 3), normal(num_rows(new, prefix), 3, seed=2)
    given = (old, new, method, prefix)
    out, dtable = gradient(torch_impl.resize_table, table, dout, *given)
    assert_close(numpy_ref.resize_table(table, *given), out)
    assert_close(resize.resize_table_backward(dout, *given), dtable)


@pytest.mark.parametrize("method", resize.GRID_METHODS)
@each_window
@each_prefix
def test_twins_agree_on_embeddings(method, old, new, prefix):
    shapes = [(1, prefix + int(np.prod(size)), 5) for size in (old, new)]
    pos_embed, dout = normal(*shapes[0]), normal(*shapes[1], seed=2)
    given = (old, new, method, prefix)
    out, dpos_embed = gradient(torch_impl.resize_pos_embed, pos_embed, dout, *given)
    assert_close(numpy_ref.resize_pos_embed(pos_embed, *given), out)
    assert_close(resize.resize_pos_embed_backward(dout, *given), dpos_embed)


@each_method
@each_window
@each_prefix
def test_backward_is_the_adjoint(method, old, new, prefix):
    """⟨W t, d⟩ = ⟨t, Wᵀ d⟩."""
    table, dout = normal(num_rows(old, prefix), 3), normal(num_rows(new, prefix), 3, seed=2)
    given = (old, new, method, prefix)
    forward = np.vdot(numpy_ref.resize_table(table, *given), dout)
    assert_close(forward, np.vdot(table, resize.resize_table_backward(dout, *given)))


@pytest.mark.parametrize("method", resize.GRID_METHODS)
def test_backward_of_embeddings_is_the_adjoint(method):
    pos_embed, dout = normal(1, 2 + 12, 5), normal(1, 2 + 35, 5, seed=2)
    given = ((3, 4), (7, 5), method, 2)
    forward = np.vdot(numpy_ref.resize_pos_embed(pos_embed, *given), dout)
    assert_close(forward, np.vdot(pos_embed, resize.resize_pos_embed_backward(dout, *given)))


@pytest.mark.parametrize("method", resize.GRID_METHODS)
@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_a_value_that_is_not_finite_reaches_only_its_neighbours(method, value):
    """Five offsets become fifteen: it reaches those that give it a weight."""
    table = np.zeros((5, 1))
    table[4] = value
    weights = resize.axis_matrices((5,), (15,), method)[0]
    found = numpy_ref.resize_table(table, 3, 8, method)
    np.testing.assert_array_equal(np.isfinite(found[:, 0]), weights[:, 4] == 0)


@TWINS
@each_method
def test_a_table_without_heads(twin, method):
    assert twin.resize_table(tensor(twin, np.empty((15, 0))), (2, 3), (4, 2), method).shape == (21, 0)


def in_dtype(twin, a, dtype):
    return a.astype(dtype) if twin is numpy_ref else torch.tensor(a).to(getattr(torch, dtype))


@each_method
@pytest.mark.parametrize(
    ("twin", "dtype"),
    [
        (numpy_ref, "float32"),
        (torch_impl, "float32"),
        (torch_impl, "float16"),
        (torch_impl, "bfloat16"),
    ],
)
def test_lower_precision_is_rounded_once(twin, method, dtype):
    table = in_dtype(twin, normal(25, 3), dtype)
    found = twin.resize_table(table, (3, 3), (5, 4), method)
    exact = twin.resize_table(
        in_dtype(twin, np.asarray(table.tolist()), "float64"), (3, 3), (5, 4), method
    )
    assert found.dtype == table.dtype
    assert found.tolist() == in_dtype(twin, array(exact), dtype).tolist()


@TWINS
@each_method
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_same_window_gives_the_same_bits(twin, method, dtype):
    table = normal(num_rows((3, 5), 1), 4).astype(dtype)
    table[2, 1] = -0.0
    given = tensor(twin, table.copy())
    found = twin.resize_table(given, (3, 5), (3, 5), method, 1)
    assert array(found).tobytes() == table.tobytes()
    found[:] = 0  # a copy, not a view
    assert array(given).tobytes() == table.tobytes()


@TWINS
@each_method
def test_an_axis_that_keeps_its_size_keeps_its_values(twin, method):
    """Resizing (3, 4) to (3, 6) is resizing each row of offsets from 4 to 6."""
    table = normal(5, 7, 2)
    found = array(twin.resize_table(tensor(twin, table.reshape(35, 2)), (3, 4), (3, 6), method))
    for row, each in zip(table, found.reshape(5, 11, 2), strict=True):
        assert_close(array(twin.resize_table(tensor(twin, row), (4,), (6,), method)), each)


@TWINS
def test_prefix_rows_are_the_last_of_a_table_and_the_first_of_an_embedding(twin):
    table, pos_embed = normal(25 + 3, 2), normal(1, 2 + 9, 4)
    found = array(twin.resize_table(tensor(twin, table), (3, 3), (5, 5), num_prefix_tokens=1))
    np.testing.assert_array_equal(found[81:], table[25:])
    bare = array(twin.resize_table(tensor(twin, table[:25]), (3, 3), (5, 5)))
    np.testing.assert_array_equal(found[:81], bare)
    found = array(twin.resize_pos_embed(tensor(twin, pos_embed), (3, 3), (5, 4), num_prefix_tokens=2))
    np.testing.assert_array_equal(found[:, :2], pos_embed[:, :2])
    bare = array(twin.resize_pos_embed(tensor(twin, pos_embed[:, 2:]), (3, 3), (5, 4)))
    np.testing.assert_array_equal(found[:, 2:], bare)


# Three offsets become five. Their places among the three are −0.2, 0.4, 1, 1.6, 2.2. Keys' cubic at
# 0.2, 0.4, 0.6, 0.8: 0.92, 0.72, 0.46, 0.2; at 1.2, 1.4, 1.6, 1.8: −0.096, −0.108, −0.072, −0.024.
# "geometric": the old offsets −1, 0, 1 stay where they are, and ±2 get the values of the farthest.
BY_HAND = {
    "linear": [0, 4, 10, 22, 30],
    "bicubic": [-0.96, 2.44, 10, 22.96, 31.92],
    "geometric": [0, 0, 10, 30, 30],
}


@TWINS
@each_method
def test_figures_worked_out_by_hand(twin, method):
    table = tensor(twin, np.array([[0.0, 1], [10, 1], [30, 1]]))
    found = array(twin.resize_table(table, 2, 3, method))
    assert_close(np.array(BY_HAND[method], float), found[:, 0])
    assert_close(np.ones(5), found[:, 1])


@TWINS
def test_figures_of_an_embedding_worked_out_by_hand(twin):
    """Two places become four: at −0.25, 0.25, 0.75, 1.25 of the two."""
    pos_embed = tensor(twin, np.array([[[9.0], [0], [8]]]))
    found = array(twin.resize_pos_embed(pos_embed, 2, 4, "linear", 1))
    assert_close(np.array([9.0, 0, 2, 6, 8]), found[0, :, 0])


@TWINS
@each_method
@each_window
def test_what_every_method_keeps(twin, method, old, new):
    """A constant, the middle row, and the symmetry under a change of the offset's sign."""
    odd, rows = normal(num_rows(old), 2), num_rows(new)
    table = np.concatenate([np.ones((len(odd), 1)), odd, odd - odd[::-1]], axis=1)
    found = array(twin.resize_table(tensor(twin, table), old, new, method))
    assert_close(np.ones(rows), found[:, 0])
    assert_close(odd[len(odd) // 2], found[rows // 2, 1:3])
    assert_close(found[:, 3:], -found[::-1, 3:])


@pytest.mark.parametrize(
    ("method", "digest"),
    [("bicubic", "d6fa1abf8ba0bfb7"), ("geometric", "c69a1ab468fba20f"), ("linear", "5e3f85d47deb8724")],
)
def test_bits_are_the_same_on_every_machine(method, digest):
    """Only sums, products and quotients of float64: no BLAS, no LAPACK, no powers."""
    table = (np.arange(7 * 9 * 2, dtype=np.float64) % 17 / 16).reshape(63, 2)
    found = numpy_ref.resize_table(table, (4, 5), (7, 6), method)
    assert hashlib.sha256(found.tobytes()).hexdigest()[:16] == digest
