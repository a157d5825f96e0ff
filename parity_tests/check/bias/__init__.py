"""Kernels that look the bias up: out = table[index] as (H, Lq, Lk), and dtable."""

from ...cases import CASES
from ..attention.reference import Grids
from ..kind import Kind
from .mistakes import MISTAKES
from .precision_mistakes import IMPRECISE
from .reference import BiasReference

WORK = 150_000  # elements of the bias: larger cases are left out of --quick


class _Bias(Kind):
    def context(self, case, dtype):
        """Return the grids of a window's index."""
        grids = getattr(case.inputs["index"], "grids", None)
        return {"grids": grids and Grids(*grids)}

    def is_large(self, case):
        q_len, k_len = case.inputs["index"].shape
        return case.inputs["table"].shape[1] * q_len * k_len > WORK


BIAS = _Bias(
    name="bias",
    about="out[h, i, j] = table[index[i, j], h], bit for bit",
    arguments={
        "table": "(R, H), a column per head",
        "index": "(Lq, Lk), integers: the row of the table that each pair reads",
    },
    axes={"out": ("head", "query", "key"), "dtable": ("row", "head")},
    cases=tuple(case for case in CASES if (case.kind, case.name) == ("op", "bias")),
    reference=BiasReference,
    mistakes=MISTAKES,
    steps=IMPRECISE,
)
