"""The rows of the comparison: each scheme that fits a small vision transformer, and some variants."""

from typing import NamedTuple

import numpy as np

BASELINE, LINE, GRID = "baseline", "reads the grid as a line", "knows both axes"


class Row(NamedTuple):
    """A row: what its scheme knows of the grid, a short description, its RelativePositionConfig.

    An option of the settings may be a function of the patch grid (h, w): see `settings_of`.
    """

    sees: str
    what: str
    settings: dict


def _row(sees, what, bias_type, position="relative", **rpb_kwargs):
    return Row(sees, what, {"position": position, "bias_type": bias_type, "rpb_kwargs": rpb_kwargs})


def manhattan(grid):
    """Return |Δy| + |Δx| of each pair of patches, (L, L), as nested lists."""
    places = np.indices(grid).reshape(2, -1)
    return np.abs(places[:, :, None] - places[:, None]).sum(0).tolist()


ROWS = {
    "none": Row(BASELINE, "no position at all", {"position": "none"}),
    "absolute": Row(BASELINE, "learned embedding of each place", {"position": "absolute"}),
    "1d": _row(LINE, "a table of offsets", "1d"),
    "t5": _row(LINE, "a table of logarithmic buckets", "t5"),
    "alibi": _row(LINE, "−slope · distance, fixed", "alibi"),
    "alibi-asymmetric": _row(LINE, "half of the heads look ahead, half back", "alibi", asymmetric=True),
    "kerple": _row(LINE, "−p · log(1 + a · distance), p and a learned", "kerple"),
    "fire": _row(LINE, "MLP of the distance relative to the query's place", "fire"),
    "sandwich": _row(LINE, "sum of cosines, fixed", "sandwich"),
    "dynamic_1d": _row(LINE, "MLP of the offset", "dynamic_1d"),
    "2d": _row(GRID, "a table of (Δy, Δx)", "2d"),
    "2d-shared": _row(GRID, "the same table for all layers", "2d", "shared_relative"),
    "maxvit": _row(GRID, "a table of (Δy, Δx), kept as planes", "maxvit"),
    "levit": _row(GRID, "a table of (|Δy|, |Δx|), stride 1", "levit"),
    "alibi2d": _row(GRID, "−slope · Euclidean distance, fixed", "alibi2d"),
    "log_cpb": _row(GRID, "16 · sigmoid(MLP) of logarithmic offsets", "log_cpb"),
    "dynamic": _row(GRID, "MLP of the offsets", "dynamic"),
    "rel_pos_mlp": _row(GRID, "MLP of logarithmic offsets", "rel_pos_mlp"),
    "irpe_bias": _row(GRID, "a table of clipped (Δy, Δx)", "irpe_bias"),
    "custom": _row(GRID, "a table of |Δy| + |Δx|", "custom", index=manhattan),
    "sum": _row(GRID, "1d + 2d", "sum", parts=[{"bias_type": "1d"}, {"bias_type": "2d"}]),
    "shaw": _row(LINE, "q · embedding of the offset on a line, on values too", "shaw"),
    "transformer_xl": _row(LINE, "q · projected sinusoids of the offset on a line", "transformer_xl"),
    "gated_t5": _row(LINE, "t5's table times a gate", "gated_t5"),
    "halo": _row(GRID, "q · (row + column embedding), BoTNet's form", "halo"),
    "decomposed": _row(GRID, "q · (row + column embedding), MViTv2's form", "decomposed"),
    "irpe": _row(GRID, "q · embedding of clipped (Δy, Δx)", "irpe"),
}

LEFT_OUT = {"3d": "an image is one frame, and with one frame its table and index are those of 2d"}


def settings_of(row, grid):
    """Return the row's settings for patches in a grid (h, w)."""
    return _with_functions(row, lambda function: function(grid))


def written(row):
    """Return the row's settings for results.json, each function by its name."""
    return _with_functions(row, lambda function: function.__name__)


def _with_functions(row, replaced):
    rpb_kwargs = {
        name: replaced(value) if callable(value) else value
        for name, value in row.settings.get("rpb_kwargs", {}).items()
    }
    return row.settings | {"rpb_kwargs": rpb_kwargs}
