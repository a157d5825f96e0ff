"""Functions that interpolate a table of offsets for another window, and their gradients."""

from dataclasses import replace

import numpy as np

from ...cases import CASES
from ...rounded import on_grid
from ...run import given_of
from ...yardstick import yardsticks
from ..kind import Kind
from .mistakes import MISTAKES
from .reference import Resize


class RoundedResize(Resize):
    """The definition with each result rounded at random; the weights are computed in float32 at least.

    The twins compute in float64 and round once. But interpolation in float32 is right too.
    """

    def __init__(self, rounding, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.rounding = rounding

    def numbers(self, x):
        return on_grid(super().numbers(x), replace(self.rounding, dtype="float32"))

    def along_axis(self, old, new):
        return on_grid(np.asarray(super().along_axis(old, new)), self.rounding)

    def product(self, matrix, x):
        matrix, matmul = np.asarray(matrix), self.rounding.float64.matmul
        squares, terms = matmul(np.square(matrix), np.square(x)), np.count_nonzero(matrix, axis=1)
        return self.rounding.sum(matmul(matrix, x), squares, terms[:, None])


class _Resize(Kind):
    def options(self, case):
        sizes = {n: v for n, v in case.options.items() if n.endswith("window_size")}
        return case.options | {n: (v,) if isinstance(v, int) else v for n, v in sizes.items()}

    def truth(self, case, dtype):
        """Return the twins' results, and the yardsticks of the definition in this precision."""
        truth, _ = super().truth(case, dtype)
        if dtype == "float64":
            return truth, {}
        given = given_of(case, dtype)
        (dout,) = given.cotangents([truth["out"]])
        arguments = given.inputs | self.options(case)

        def run(rounding):
            rounded = RoundedResize(rounding, dout, **arguments)
            return {name: rounded.result(name) for name in truth}

        return truth, yardsticks(truth, run, dtype)


SIZE = "a tuple of ints, tokens along each axis; cases have one, two or three"

RESIZE = _Resize(
    name="resize",
    about="out = the table interpolated for another window, (R', H)",
    arguments={
        "table": "(R, H), R = Π (2 · size − 1) rows, row-major from the lowest offset, and with prefix"
        " tokens 3 rows more, which are copied",
        "window_size": f"{SIZE}; of the table's window",
        "new_window_size": "the same of the new window",
        "method": '"bicubic" (Keys\' cubic with a = −0.75, corners not aligned, the border repeated),'
        ' "linear" or "geometric" (as BEiT); "bicubic" if it is not given',
        "num_prefix_tokens": "a number; 0 if it is not given",
    },
    axes={"out": ("row", "head"), "dtable": ("row", "head")},
    cases=tuple(case for case in CASES if (case.kind, case.name) == ("function", "resize_table")),
    reference=Resize,
    mistakes=MISTAKES,
    defaults={"method": "bicubic", "num_prefix_tokens": 0},
)
