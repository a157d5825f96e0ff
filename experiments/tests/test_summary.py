"""What a run keeps of its data: what comes back, and what is refused."""

import json

import pytest

from experiments.data.summary import Summary

SMALLEST = {
    "name": "dots",
    "classes": ["a", "b"],
    "image_shape": [1, 1, 1],
    "mean": [0.0],
    "std": [0.5],
    "counts": {"train": 1, "val": 1, "test": 1},
}


def test_the_smallest_data_set_is_kept_as_it_is():
    kept = json.dumps(Summary.from_json(SMALLEST).to_json())
    assert json.loads(kept) == SMALLEST


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", 3),
        ("classes", ["a"]),
        ("classes", ["a", 3]),
        ("image_shape", [1, 1]),
        ("image_shape", [1, 0, 1]),
        ("mean", ["0"]),
        ("mean", [0.0, 0.0]),
        ("std", [0.0]),
        ("std", [0.5, 0.5]),
        ("counts", {"train": 1, "val": 1}),
        ("counts", {"train": 1, "val": 0, "test": 1}),
        ("counts", [1, 1, 1]),
    ],
    ids=str,
)
def test_a_field_that_no_data_set_has_is_named(field, value):
    with pytest.raises(ValueError, match=rf"\b{field}\b"):
        Summary.from_json(SMALLEST | {field: value})
