"""The kernels' threads: right results with other threads running, the same bits, no work when idle."""

import multiprocessing
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from numba import njit

import numpy_ref
import torch_impl
from numpy_ref.kernels.machine import threads as kernel_threads

from . import budget
from .jobs import assert_helpers_take_part, assert_same_bits, count, noted, results
from .process import LONG, python

TRAINING_STEP = """
import numpy as np, numpy_ref
model = numpy_ref.VisionTransformer(img_size=8, patch_size=2, embed_dim=24, depth=2, num_heads=3)
trainer = numpy_ref.Trainer(model, lr=1e-3, total_steps=9)
trainer.train_step(np.ones((16, 1, 8, 8)), np.arange(16) % 10)
"""


pytestmark = pytest.mark.usefixtures("two_threads")


@njit(nogil=True)
def adding_up(worker, words, helpers, *arguments):
    """Run slow pieces that write, then quick pieces that each read the results of all slow ones."""
    if kernel_threads.share(worker, words, helpers, arguments):
        return
    progress, pieces, first, written, sums = arguments
    for piece in kernel_threads.taken(progress, pieces):
        if piece < first:
            value = piece
            for _ in range(20000):
                value = (3 * value + 1) % 1000003
            written[piece] = value
        else:
            kernel_threads.await_pieces(progress, first)
            sums[piece - first] = written.sum()


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_piece_is_done_once_before_run_returns(threads):
    numpy_ref.set_num_threads(threads)
    for pieces, work in [(1, 9), (2, 9999), (3, 9999), (1000, 10), (20000, 1)] * 50:
        done, _ = count(pieces, work)
        assert (done == 1).all()


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_who_awaits_pieces_finds_them_done(threads):
    numpy_ref.set_num_threads(threads)
    for _ in range(50):
        written, sums = np.zeros(7, np.int64), np.zeros(9, np.int64)
        kernel_threads.run(adding_up, 16, 7, written, sums)
        assert written.all()
        assert (sums == written.sum()).all()


def test_helpers_take_part():
    assert_helpers_take_part()


def test_callers_in_two_threads_get_the_right_results():
    alone = [results(seed) for seed in range(2)]
    with ThreadPoolExecutor(2) as pool:
        for n, together in enumerate(pool.map(results, [0, 1] * 40)):
            assert_same_bits(together, alone[n % 2])


def test_a_second_caller_works_alone():
    """While another caller uses the helpers, a second one does all its pieces itself."""
    expected = results()
    assert_helpers_take_part()
    busy = kernel_threads._teams[2].words[kernel_threads.BUSY :]
    assert busy[0] == 0
    busy[0] = 1
    done, workers = count(1000, 100)
    assert (done == 1).all()
    assert workers[0] == 1000
    assert_same_bits(results(), expected)
    assert busy[0] == 1  # only the first caller may reset it
    busy[0] = 0
    assert_helpers_take_part()


def in_a_child(_):
    found = results()
    return found, sum(t.name.startswith("numpy_ref-") for t in threading.enumerate())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_has_helpers_of_its_own_and_the_same_bits():
    expected = results()
    with multiprocessing.get_context("fork").Pool(1) as pool:
        found, helpers = pool.map_async(in_a_child, [0]).get(timeout=LONG)[0]
    assert helpers == 1
    assert_same_bits(found, expected)


@pytest.mark.parametrize("threads", [1, 3, 7])
def test_any_number_of_threads_on_any_number_of_cores(threads):
    expected = results()
    numpy_ref.set_num_threads(threads)
    assert numpy_ref.num_threads() == threads
    assert noted(pieces=9)[1] == threads - 1
    assert noted(pieces=2)[1] == min(threads, 2) - 1
    assert_same_bits(results(), expected)


@pytest.mark.parametrize(
    ("n", "error"),
    [
        (0, ValueError),
        (-1, ValueError),
        (1025, ValueError),
        (100000, ValueError),
        (1.5, TypeError),
        (True, TypeError),
    ],
)
def test_a_wrong_number_of_threads_is_named_and_changes_nothing(n, error):
    for twin in (numpy_ref, torch_impl):
        before = twin.num_threads()
        with pytest.raises(error, match=f"n is {n}, expected"):
            twin.set_num_threads(n)
        assert twin.num_threads() == before
    assert noted() == (kernel_threads.CALLER, 1)


def test_helpers_sleep_when_there_is_nothing_to_do():
    results()
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(0.2)
    assert time.process_time() - before < 0.05


def test_helpers_leave_when_their_number_changes():
    results()
    numpy_ref.set_num_threads(1)
    deadline = time.monotonic() + LONG
    while any(t.name.startswith("numpy_ref-") for t in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_torch_may_work_in_between():
    expected, x = results(), torch.arange(300.0 * 300, dtype=torch.float64).reshape(300, 300) / 9e4
    product = x @ x
    for _ in range(5):
        assert_same_bits(results(), expected)
        assert budget.float64("product", product.numpy(), (x @ x).numpy()).ok


EIGHT_AT_ONCE = """
import sys, threading
import numpy as np, numpy_ref
from numpy_ref import kernels
sys.setswitchinterval(1e-6)
start, values = threading.Barrier(8), np.ones(1 << 20)

def call():
    start.wait()
    assert kernels.squared_norm(values) == 1 << 20

callers = [threading.Thread(target=call) for _ in range(8)]
for caller in callers:
    caller.start()
for caller in callers:
    caller.join()
print(sum(t.name.startswith("numpy_ref-") for t in threading.enumerate()))
"""


def test_the_first_kernel_from_eight_threads_at_once_hires_one_team():
    assert python(EIGHT_AT_ONCE, NUMBA_NUM_THREADS="4") == "3\n"


def test_the_environment_sets_the_number_of_threads():
    code = "import numpy_ref; print(numpy_ref.num_threads())"
    assert python(code, NUMBA_NUM_THREADS="3") == "3\n"


def test_numbas_own_threads_are_never_started():
    asking = "import numba\ntry: print(numba.threading_layer())\nexcept ValueError: print('none')"
    assert python(TRAINING_STEP + asking) == "none\n"


def test_the_number_may_change_while_a_job_runs():
    """A job keeps its helpers if the number of threads is changed while it runs."""
    expected = results()
    kernel_threads.run(lambda *_: numpy_ref.set_num_threads(3), 4)
    assert numpy_ref.num_threads() == 3
    assert_same_bits(results(), expected)
