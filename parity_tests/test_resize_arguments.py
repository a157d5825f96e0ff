"""`resize_table` and `resize_pos_embed` name the argument that is bad."""

import numpy as np
import pytest

import numpy_ref
from numpy_ref import resize

from .both import TWINS, normal, tensor

TABLE_ERRORS = [
    ("table", TypeError, {"table": [[1.0]]}),
    ("table", TypeError, {"table": "integers"}),
    ("table", ValueError, {"table": (24, 3)}),
    ("table", ValueError, {"table": (25,)}),
    ("table", ValueError, {"num_prefix_tokens": 1}),
    ("table", ValueError, {"window_size": (3, 4)}),
    ("window_size", ValueError, {"window_size": (0, 3)}),
    ("window_size", ValueError, {"window_size": ()}),
    ("window_size", ValueError, {"window_size": 2**29 + 1, "new_window_size": 3}),
    ("window_size", TypeError, {"window_size": 3.0}),
    ("new_window_size", ValueError, {"new_window_size": (5, 5, 5)}),
    ("new_window_size", ValueError, {"new_window_size": (5, -5)}),
    ("new_window_size", ValueError, {"new_window_size": (2**15, 2**15)}),
    ("new_window_size", TypeError, {"new_window_size": (5, 5.0)}),
    ("new_window_size", TypeError, {"new_window_size": None}),
    ("method", ValueError, {"method": "cubic"}),
    ("method", ValueError, {"method": None}),
    ("num_prefix_tokens", ValueError, {"num_prefix_tokens": -1}),
    ("num_prefix_tokens", TypeError, {"num_prefix_tokens": True}),
]


def array_of(twin, given):
    if given == "integers":
        return tensor(twin, np.ones((25, 3), np.int64))
    return tensor(twin, normal(*given)) if isinstance(given, tuple) else given


@TWINS
@pytest.mark.parametrize(("name", "kind", "changed"), TABLE_ERRORS)
def test_bad_tables_are_refused(twin, name, kind, changed):
    given = {"table": (25, 3), "window_size": (3, 3), "new_window_size": (5, 5)} | changed
    given["table"] = array_of(twin, given["table"])
    with pytest.raises(kind, match=rf"^{name} "):
        twin.resize_table(**given)
    if twin is numpy_ref and name != "table":
        given["dout"] = normal(81, 3)
        del given["table"]
        with pytest.raises(kind, match=rf"^{name} "):
            resize.resize_table_backward(**given)


def test_a_bad_gradient_is_refused():
    with pytest.raises(ValueError, match=r"^dout .*expected \(81, any\)"):
        resize.resize_table_backward(normal(25, 3), (3, 3), (5, 5))
    with pytest.raises(ValueError, match=r"^dout .*expected \(1, 25, any\)"):
        resize.resize_pos_embed_backward(normal(1, 9, 4), (3, 3), (5, 5))


@TWINS
@pytest.mark.parametrize(
    ("name", "kind", "changed"),
    [
        ("pos_embed", ValueError, {"pos_embed": (9, 4)}),
        ("pos_embed", ValueError, {"pos_embed": (2, 9, 4)}),
        ("pos_embed", ValueError, {"num_prefix_tokens": 1}),
        ("pos_embed", TypeError, {"pos_embed": None}),
        ("grid_size", ValueError, {"grid_size": (3, 0)}),
        ("new_grid_size", ValueError, {"new_grid_size": (5, 5, 5)}),
        ("method", ValueError, {"method": "geometric"}),
        ("num_prefix_tokens", ValueError, {"num_prefix_tokens": -1}),
    ],
)
def test_bad_embeddings_are_refused(twin, name, kind, changed):
    given = {"pos_embed": (1, 9, 4), "grid_size": (3, 3), "new_grid_size": (5, 5)} | changed
    given["pos_embed"] = array_of(twin, given["pos_embed"])
    with pytest.raises(kind, match=rf"^{name} "):
        twin.resize_pos_embed(**given)
