"""Functions that make the mask of shifted windows, which attention adds to its scores."""

from dataclasses import replace

import numpy as np

from numpy_ref.ops.windows import window_grid, window_mask

from ...cases import Case
from ..windows import WINDOW, OfWindows
from .mistakes import MISTAKES
from .reference import ShiftMask


class _Shift(OfWindows):
    def truth(self, case, dtype):
        mask, grid = window_mask(**case.options, dtype="float64"), window_grid(**case.options)
        tokens = grid.window_tokens
        zero = np.zeros((grid.num_windows, tokens, tokens))
        return {"out": zero if mask is None else mask[:, 0]}, {}

    def moved(self, case):
        return {"out"}

    def question(self, case, dtype):
        """Return the `Question`; None is a mask of zeros."""
        question = super().question(case, dtype)
        return replace(question, none=np.zeros(question.truth["out"].shape))

    def accepted(self, results, question):
        """Return the mask (nW, L, L) of one that has an axis for the heads too."""
        return {name: x[:, 0] if x.ndim == 4 and x.shape[1] == 1 else x for name, x in results.items()}


def _case(variant, size, window_size, shift_size):
    return Case(
        "function",
        "window_mask",
        variant,
        {},
        {"size": size, "window_size": window_size, "shift_size": shift_size},
    )


SHIFT = _Shift(
    name="shift",
    about="out = 0, or −100 for two tokens of a window that the roll brought together",
    arguments={
        "size": "(H, W) of the map. It is padded below and on the right up to whole windows, and padding"
        " is not masked. The mask is (nW, wh·ww, wh·ww), or (nW, 1, wh·ww, wh·ww), or None for 0",
        **WINDOW,
    },
    axes={"out": ("window", "query", "key")},
    cases=(
        _case("swin_14", 14, 7, 3),
        _case("oblong", (6, 12), (2, 3), (1, 2)),
        _case("far_padding", (5, 11), (4, 5), (3, 1)),
        _case("padded", (10, 7), (4, 3), (1, 2)),
        _case("padded_to_shift", (9, 13), (4, 5), (2, 2)),
        _case("not_shifted", (4, 6), 2, 0),
        _case("rows_alone", (7, 9), (3, 4), (1, 0)),
        _case("columns_alone", (7, 9), (3, 4), (0, 3)),
        _case("one_row", (4, 9), 4, (2, 1)),
        _case("one_column", (9, 3), 5, (2, 1)),
        _case("one_window", (5, 4), 7, 3),
        _case("one_token", 1, 1, 0),
        _case("swin_56", 56, 7, 3),
    ),
    reference=ShiftMask,
    mistakes=MISTAKES,
    defaults={"shift_size": (0, 0)},
)
