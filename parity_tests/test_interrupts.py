"""The kernels' threads after an error or an interrupt in the middle of a call."""

import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import numpy_ref
import numpy_ref.kernels as kernels
from numpy_ref.kernels.machine import threads as kernel_threads

from .jobs import assert_helpers_take_part, assert_same_bits, counting, noted, results
from .process import LONG

KERNELS = str(Path(kernels.__file__).parent)
pytestmark = pytest.mark.usefixtures("two_threads")


def test_an_error_in_a_kernel_leaves_the_threads_usable():
    expected = results()

    def interrupted(*_):
        raise KeyboardInterrupt

    for kernel, error in ((interrupted, KeyboardInterrupt), (counting, Exception)):
        with pytest.raises(error):
            kernel_threads.run(kernel, 4, "neither scratch nor array")
        assert noted() == (kernel_threads.CALLER, 1)
        assert_same_bits(results(), expected)


def interrupted(call, n):
    """Interrupt call() before the n-th instruction of the kernels' files; False if it has fewer."""
    left, raised = n, False

    def trace(frame, event, argument):
        nonlocal left, raised
        if not frame.f_code.co_filename.startswith(KERNELS):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            left -= 1
            if left < 0 and not raised:
                raised = True
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()  # coverage's, maybe
    sys._getframe().f_trace_opcodes = True  # Python 3.12 looks for it when it is told to trace
    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    assert not raised, f"the interrupt before instruction {n} was swallowed"
    return False


def test_an_interrupt_at_any_moment_reaches_the_caller_and_leaves_the_threads_usable():
    """An interrupt is raised before every instruction in turn, also while memory is being released."""
    x, weight = np.random.default_rng(0).standard_normal((2, 300, 64))
    expected = kernels.linear_forward(x, weight)[0]

    def call():
        assert_same_bits(kernels.linear_forward(x, weight)[:1], [expected])

    for before in (lambda: None, lambda: numpy_ref.set_num_threads(3)):  # the second starts helpers
        n = 0
        while before() or interrupted(call, n):
            assert not any(team.words[kernel_threads.BUSY] for team in kernel_threads._teams.values())
            call()
            n += 1
        assert n > 100
        assert_helpers_take_part()
    deadline = time.monotonic() + LONG
    while sum(t.name.startswith("numpy_ref-") for t in threading.enumerate()) != 2:
        assert time.monotonic() < deadline
