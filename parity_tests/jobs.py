"""Helpers of the tests of the kernels' threads: results to compare, and a job that counts its pieces."""

import time

import numpy as np
from numba import njit

import numpy_ref.kernels as kernels
from numpy_ref.kernels.machine import threads as kernel_threads

from .process import LONG


def results(seed=0, rows=1500):
    """Return results of kernels that run in several pieces, with and without scratch memory."""
    rng = np.random.default_rng(seed)
    x, weight = rng.standard_normal((rows, 24)), rng.standard_normal((40, 24))
    q, k, v = rng.standard_normal((3, 2, 8, 50, 16))
    table, index = rng.standard_normal((99, 8)), np.subtract.outer(np.arange(50), np.arange(50)) + 49
    out, cache = kernels.linear_forward(x, weight)
    heads, attention = kernels.attention_forward(q, k, v, table, index)
    grads = kernels.linear_backward(out, cache)[:2], kernels.attention_backward(heads, attention)[:4]
    return [out, heads, *grads[0], *grads[1]]


def assert_same_bits(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


def noted(pieces=4):
    """Return the (worker, helpers) that a job's kernel gets."""
    seen = []
    kernel_threads.run(lambda worker, words, helpers, *rest: seen.append((worker, helpers)), pieces)
    return seen[0]


@njit(nogil=True)
def counting(worker, words, helpers, *arguments):
    if kernel_threads.share(worker, words, helpers, arguments):
        return
    progress, pieces, scratches, work, done, workers = arguments
    for piece in kernel_threads.taken(progress, pieces):
        scratches[worker, 0] = piece
        for _ in range(work):
            scratches[worker, 0] = (3 * scratches[worker, 0] + 1) % 1000003
        done[piece] += 1 if scratches[worker, 0] >= 0 else 0
        workers[worker] += 1


def count(pieces, work):
    """Return (how often each piece was done, number of pieces done by each worker)."""
    done, workers = np.zeros(pieces, np.int64), np.zeros(9, np.int64)
    kernel_threads.run(counting, pieces, work, done, workers, scratch=(1, np.int64))
    return done, workers


def assert_helpers_take_part():
    deadline = time.monotonic() + LONG
    while not count(1000, 100)[1][1]:
        assert time.monotonic() < deadline
