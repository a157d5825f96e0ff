"""Planted errors (see plants.py) of twice the smallest size noticed in plants.json are over budget."""

import json

import pytest

from .plants import PLANTS, RESULTS, reds

MEASURED = json.loads(RESULTS.read_text())


@pytest.mark.slow
@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_a_planted_error_is_seen(plant):
    assert reds(plant, 2.0 ** (MEASURED[plant.name]["seen"] + 1))


def test_nothing_planted_is_green():
    assert not any(reds(plant, 0.0) for plant in PLANTS if plant.change.__name__ == "scaled")


def test_there_are_many_of_each_size():
    assert len(PLANTS) >= 60
    assert MEASURED.keys() == {plant.name for plant in PLANTS}
