"""Each contestant computes the right tensors, and the check notices a wrong one."""

from functools import partial

import numpy as np
import pytest

from benchmarks import entry, race, suites, timing, workloads
from benchmarks.check import as_array, check
from benchmarks.contestants import (
    GATHER,
    MODULES,
    SCATTER,
    STEP,
    SWIN_BLOCK,
    SWIN_STEP,
    compiles,
    make,
)
from benchmarks.entry import Entry
from benchmarks.settings import Settings
from parity_tests.errors import Measures
from parity_tests.yardstick import Yardstick

ATTENTION_WORK = workloads.Attention(3, 4, 2, 8)
SWIN_WORK = workloads.SwinStep("Swin", 2, 16, 2, 12, (2, 1), (2, 3), 10, window_size=4)
BIAS_WORK = workloads.Bias(3, 2)
ENTRIES = {
    "attention": entry.attention("attention", ATTENTION_WORK),
    "gather": Entry("bias", BIAS_WORK, "gather", GATHER, False),
    "scatter-add": Entry("bias", BIAS_WORK, "scatter-add", SCATTER),
    "modules": Entry("modules", workloads.Module(3, 2, 12, 3), "", MODULES),
    "vit": Entry("vit", workloads.Step(2), "", STEP, settle=suites.settled_weights),
    "swin block": Entry("swin", workloads.SwinBlock(6, 12, 3, 2, 3, 1), "", SWIN_BLOCK),
    "swin step": Entry("swin", SWIN_WORK, "", SWIN_STEP, settle=suites.settled_weights),
}
CASES = [(e, name) for e in ENTRIES for name in ENTRIES[e].places if not compiles(name)]


@pytest.fixture(scope="module")
def truths():
    """Return {entry: (inputs, {tensor: Yardstick})}."""
    given = {name: workloads.inputs_of(each.work) for name, each in ENTRIES.items()}
    return {name: (given[name], race.costs_of(each, given[name])) for name, each in ENTRIES.items()}


def computed(each, name, given):
    return race.first_call(make(each.places, name, each.work, given, each.backward))[0]


@pytest.mark.parametrize(("which", "name"), CASES)
def test_each_contestant_is_right_and_a_planted_error_is_seen(which, name, truths):
    each, (given, costs) = ENTRIES[which], truths[which]
    mine = each.settle({name: cost.truth for name, cost in costs.items()}, computed(each, name, given))
    found = check(costs, mine)
    assert found.ok, found
    for tensor in costs:
        spoiled = mine | {tensor: as_array(mine[tensor]) + np.float32(0.01)}
        found = check(costs, spoiled)
        assert (found.tensor, found.ok) == (tensor, False)


ONE = Yardstick(np.ones(3), np.full(3, 1e-7), Measures(1, 1, 1e-7))
ONES = {"out": ONE, "dtable": ONE}


def test_a_tensor_that_is_missing_is_over_budget():
    found = check(ONES, {"out": np.ones(3)})
    assert (found.tensor, found.ok) == ("dtable", False)


def test_nan_is_over_budget():
    assert check(ONES, {"out": np.ones(3), "dtable": np.ones(3)}).ok
    assert not check(ONES, {"out": np.full(3, np.nan), "dtable": np.ones(3)}).ok


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(timing, "PAUSE", 0)
    monkeypatch.setattr(timing, "TURN", 0)
    return ENTRIES["attention"]


def test_a_wrong_dtable_of_the_kernels_shows_in_the_race(monkeypatch, small):
    import numpy_ref.kernels as kernels

    backward = kernels.attention_backward

    def wrong(dout, cache):
        grads = backward(dout, cache)
        return grads._replace(dtable=grads.dtable * np.float32(1.001))

    monkeypatch.setattr(kernels, "attention_backward", wrong)
    found = race.run(small, Settings(quick=True, rounds=1))
    wrong = {name: line.check.tensor for name, line in found.lines.items() if not line.check.ok}
    assert wrong["numba"] == "dtable"


def test_who_cannot_run_is_there_with_the_reason(monkeypatch, small):
    import benchmarks.contestants.attention_torch as place

    def refuse(*args):
        raise NotImplementedError("no such backward\n\nand a long story")

    monkeypatch.setattr(place, "make", refuse)
    found = race.run(small, Settings(quick=True, rounds=1))
    assert found.absent["torch eager"] == "no such backward"
    assert "--quick" in found.absent["flex_attention"]
    assert found.lines.keys() == {"numpy", "numba"}


def test_an_error_of_ours_is_an_error(monkeypatch, small):
    import benchmarks.contestants.attention_numpy as place

    monkeypatch.setattr(place, "make", partial(int, "no number"))
    with pytest.raises(TypeError):
        race.run(small, Settings(quick=True, rounds=1))
