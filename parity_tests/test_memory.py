"""The kernels' memory: it grows linearly with the length, and freed memory is reused."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numpy_ref
import numpy_ref.kernels as kernels
import numpy_ref.ops as ops
from numpy_ref.kernels.machine import buffers

from .process import python

LARGE = 1 << 20  # bytes; enough for an array to be kept for reuse

PEAK = """
import re, sys
from pathlib import Path
import numpy as np, numpy_ref.kernels as kernels

def kilobytes(name):
    return int(re.search(f"{name}:\\\\s*(\\\\d+)", Path("/proc/self/status").read_text())[1])

def arrays(length):
    q, k, v = np.random.default_rng(0).standard_normal((3, 1, 2, length, 16), np.float32)
    index = np.subtract.outer(np.arange(length), np.arange(length)) + length - 1
    return q, k, v, np.ones((2 * length - 1, 2), np.float32), index

def run(*arguments):
    out, cache = kernels.attention_forward(*arguments)
    return kernels.attention_backward(out, cache)

run(*arrays(256))  # compiles
given = arrays(int(sys.argv[1]))
kernels.machine.buffers.clear()
Path("/proc/self/clear_refs").write_text("5")
before = kilobytes("VmRSS")
run(*given)
print(1024 * (kilobytes("VmHWM") - before))
"""


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="no peak of memory to reset")
def test_attention_never_holds_the_scores():
    """Twice the length needs less than three times the memory, far less than the (H, L, L) scores."""
    short, long = (int(python(PEAK, length, NUMBA_NUM_THREADS="2")) for length in (2048, 4096))
    scores = 4 * 2 * 4096 * 4096
    assert 0 < long < scores / 4
    assert long < 3 * short


@pytest.fixture
def fresh(monkeypatch):
    """Free the idle memory; return a list that gets the size of each allocation from the system."""
    buffers.clear()
    sizes, aligned = [], buffers._aligned
    monkeypatch.setattr(buffers, "_aligned", lambda size: sizes.append(size) or aligned(size))
    return sizes


@pytest.mark.parametrize("options", [{}, {"cosine_attention": True, "drop_rate": 0.1}])
def test_from_the_third_step_on_training_needs_no_fresh_memory(options, fresh):
    model = numpy_ref.VisionTransformer(8, 2, embed_dim=48, depth=2, num_heads=3, **options)
    trainer = numpy_ref.Trainer(model, lr=1e-3, total_steps=9)
    images, labels = np.ones((32, 1, 8, 8), np.float32), np.arange(32) % 10
    for _ in range(2):
        trainer.train_step(images, labels)
    assert fresh
    fresh.clear()
    for _ in range(3):
        trainer.train_step(images, labels)
    assert fresh == []


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["take", "take", "view", "drop"]),
            st.integers(0, 50),
            st.sampled_from([3000, 4096, 4100, 5000, 9000]),
            st.sampled_from([np.float32, np.float64]),
        ),
        max_size=60,
    )
)
def test_memory_that_somebody_looks_at_is_not_given_away(steps):
    """Each array keeps its values as long as it or a view of it exists."""
    held = []
    for number, (action, place, size, dtype) in enumerate(steps):
        if action == "take":
            array = buffers.empty((2, size), dtype)
            assert (array.shape, array.dtype) == ((2, size), dtype)
            array[...] = number
            held.append((array, number))
        elif held:
            array, written = held.pop(place % len(held))
            if action == "view":
                held.append((array[..., -1:].T, written))
        array = None  # this variable must not keep the array alive
        assert all((array == written).all() for array, written in held)


@pytest.mark.parametrize("size", [LARGE, LARGE + 1, 3 * LARGE // 2 + 7])
def test_large_memory_begins_on_a_cache_line(size):
    arrays = [buffers.empty((size,), np.uint8) for _ in range(4)]
    assert {array.ctypes.data % 64 for array in arrays} == {0}


def test_a_dropped_array_is_used_again_and_clear_gives_it_back(fresh):
    def taken(elements):
        return buffers.empty((elements,), np.float32).ctypes.data

    address = taken(LARGE)
    assert taken(LARGE) == address
    assert taken(LARGE - 100) == address  # nearly as large
    assert len(fresh) == 1
    buffers.clear()
    taken(LARGE)
    assert len(fresh) == 2


def test_what_lies_idle_is_bounded(fresh, monkeypatch):
    """After requests of many sizes the idle memory stays below a limit."""
    monkeypatch.setattr(buffers, "MOST_IDLE", 8 * LARGE)
    for n in range(1, 9):
        buffers.empty((n * LARGE,), np.uint8)
    idle = sum(size * len(memories) for size, memories in buffers._idle.items())
    assert sum(fresh) == 36 * LARGE
    assert idle < 18 * LARGE


def gradients(length=17, heads=3, dim=8):
    q, k, v, dout = np.random.default_rng(0).standard_normal((4, 6, heads, length, dim), np.float32)
    _, cache = kernels.attention_forward(q, k, v)
    return kernels.attention_backward(dout, cache)[:3]


def test_the_gradients_of_attention_are_merged_without_a_copy():
    dq, dk, dv = gradients()
    merged = kernels.merge_qkv(dq, dk, dv)
    assert all(np.shares_memory(merged, x) for x in (dq, dk, dv))
    assert merged.flags.c_contiguous
    np.testing.assert_array_equal(merged, ops.merge_qkv(dq, dk, dv))


def test_merged_gradients_keep_their_memory():
    merged = kernels.merge_qkv(*gradients())
    before = merged.copy()
    for _ in range(4):
        buffers.empty(merged.shape, merged.dtype)[...] = np.nan
    np.testing.assert_array_equal(merged, before)


@pytest.mark.parametrize(
    "arrays",
    [
        lambda q, k, v: (k, q, v),
        lambda q, k, v: (q, q, q),
        lambda q, k, v: (q, k, v.copy()),
        lambda q, k, v: (q[1:], k[1:], v[1:]),
        lambda q, k, v: (q[1:], k[:-1], v[1:]),
        lambda q, k, v: (q[:, :, 1:], k[:, :, 1:], v[:, :, 1:]),
        lambda q, k, v: (q[:, 1:], k[:, 1:], v[:, 1:]),
        lambda q, k, v: (q[..., 1:], k[..., 1:], v[..., 1:]),
        lambda q, k, v: (q[:, ::-1], k[:, ::-1], v[:, ::-1]),
        lambda q, k, v: tuple(np.random.default_rng(1).standard_normal((3, 2, 3, 5, 4))),
        lambda q, k, v: tuple(np.random.default_rng(1).standard_normal((3, 1, 1, 1, 1))),
    ],
)
def test_arrays_that_lie_anyhow_are_merged_as_defined(arrays):
    given = arrays(*gradients())
    merged = kernels.merge_qkv(*given)
    assert merged.flags.c_contiguous or merged.size == 1
    np.testing.assert_array_equal(merged, ops.merge_qkv(*given))


BESIDE = """
import sys
from parity_tests.calls import given_to, results
from parity_tests.cases.ops import OPS
from parity_tests.fuzz import guarded
from parity_tests.fuzz.judge import buffers

for case in OPS:
    print(case.id, file=sys.stderr)
    given = {name: guarded.place(a) for name, a in given_to(case, "float32").items()}
    with guarded.results(buffers):
        results("kernels", case, given)
"""


@pytest.mark.parametrize("side", ["begin", "end"])
def test_no_kernel_touches_what_lies_beside_its_arrays(side):
    """Inputs, results and scratch memory lie beside protected pages; an access there is a SIGSEGV."""
    python(BESIDE, FUZZ_GUARD=side)
