"""`use_ops` in both twins: the choice of a thread or task, which no other thread or task changes."""

import asyncio
import contextvars
import threading

import numpy as np
import pytest
import torch

import numpy_ref
import torch_impl
from numpy_ref.dispatch import F


def chosen_by_numpy_ref():
    return {"numpy_ref.ops.linear": "numpy", "numpy_ref.kernels.linear": "numba"}[
        F.linear_forward.__module__
    ]


def chosen_by_torch_impl():
    """Return the implementation in use: for a fully masked row "eager" gives NaN, "sdpa" does not."""
    q, mask = torch.zeros((1, 1, 1, 4)), torch.full((1, 1), -np.inf)
    out = torch_impl.ops.attention(q, q, q, mask=mask)
    return "eager" if out.isnan().any() else "sdpa"


TWINS = {
    "numpy_ref": (numpy_ref.use_ops, chosen_by_numpy_ref, "numba", "numpy"),
    "torch_impl": (torch_impl.use_ops, chosen_by_torch_impl, "eager", "sdpa"),
}


@pytest.fixture(params=TWINS)
def twin(request):
    """Return (use_ops, function that returns the current choice, the default, the other choice)."""
    return TWINS[request.param]


def in_a_thread(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def test_blocks_nest_and_end_with_an_error(twin):
    use_ops, chosen, default, other = twin
    with use_ops(other):
        with use_ops(default):
            assert chosen() == default
        assert chosen() == other
        with pytest.raises(KeyError), use_ops(default):
            raise KeyError
        assert chosen() == other
    assert chosen() == default


def test_a_wrong_name_is_named_and_changes_nothing(twin):
    use_ops, chosen, default, _ = twin
    for wrong in ("", "fast", None, 3):
        with pytest.raises(ValueError, match=r"implementation is .*expected one of"), use_ops(wrong):
            pass
    assert chosen() == default


def test_a_new_thread_begins_with_the_default_and_can_be_given_this_ones_choice(twin):
    use_ops, chosen, default, other = twin
    with use_ops(other):
        assert in_a_thread(lambda: contextvars.Context().run(chosen)) == default
        context = contextvars.copy_context()
        assert in_a_thread(lambda: context.run(chosen)) == other


def test_threads_that_leave_in_another_order_do_not_disturb_each_other(twin):
    use_ops, chosen, default, other = twin
    entered, may_leave, seen = threading.Event(), threading.Event(), []

    def second():
        with use_ops(other):
            entered.set()
            may_leave.wait()
            seen.append(chosen())

    thread = threading.Thread(target=second)
    thread.start()
    entered.wait()
    with use_ops(default):
        assert chosen() == default
    assert chosen() == default
    may_leave.set()
    thread.join()
    assert seen == [other]
    assert chosen() == default


def test_tasks_that_take_turns_keep_their_choices(twin):
    use_ops, chosen, default, other = twin

    async def work(name, seen):
        with use_ops(name):
            for _ in range(3):
                await asyncio.sleep(0)
                seen.append(chosen())

    async def both():
        seen = {default: [], other: []}
        await asyncio.gather(*(work(name, found) for name, found in seen.items()))
        return seen

    assert asyncio.run(both()) == {name: [name] * 3 for name in (default, other)}
    assert chosen() == default
