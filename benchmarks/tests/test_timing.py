"""Turns, medians and ratios, on made-up contestants and samples."""

import pytest
from made_up import race

from benchmarks import timing
from benchmarks.contestants import Contestant


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(timing, "PAUSE", 0)
    monkeypatch.setattr(timing, "TURN", 0)


def test_median_and_quartiles():
    assert timing.spread([5.0, 1.0, 2.0, 4.0, 3.0]) == timing.Spread(3, 2, 4)


def test_a_ratio_is_that_of_the_same_round():
    """The ratio is 0.5 in every round, though the machine was ten times slower in the second."""
    assert timing.ratio([1.0, 10.0, 1.2], [2.0, 20.0, 2.4]).median == 0.5


def test_everyone_has_a_turn_a_round_and_the_first_moves_on():
    calls = []
    contestants = {name: Contestant(lambda name=name: calls.append(name)) for name in "abc"}
    seconds = timing.take_turns(contestants, 3)
    assert "".join(calls[::2]) == "abcbcacab"  # each call twice: once to warm up
    assert calls[::2] == calls[1::2]
    assert {name: len(times) for name, times in seconds.items()} == dict.fromkeys("abc", 3)


def test_the_warm_up_is_not_counted(monkeypatch):
    found = iter([100.0, 1.0])
    monkeypatch.setattr(timing, "seconds_of", lambda run: next(found))
    assert timing.take_turn(Contestant(lambda: None)) == 1.0


def test_a_turn_has_as_many_calls_as_fill_it(monkeypatch):
    calls = []
    monkeypatch.setattr(timing, "TURN", 1.0)
    monkeypatch.setattr(timing, "seconds_of", lambda run: calls.append(run) or 0.25)
    timing.take_turn(Contestant(lambda: None))
    assert len(calls) == 1 + 4


def test_the_fastest_of_torch_is_by_its_median_and_never_ours():
    times = {"numba": [1.0] * 3, "torch eager": [3.0, 3.0, 0.1], "timm": [2.0, 2.0, 9.0]}
    found = race("modules", "work", "forward", times)
    assert found.fastest_torch == "timm"
    assert found.ratio("numba", "timm").median == 0.5
