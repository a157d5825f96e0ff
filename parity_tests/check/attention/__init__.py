"""Kernels of attention with a relative position bias: out, dq, dk, dv, dtable."""

from ...cases import CASES
from ..kind import Kind
from .features import FEATURES
from .mistakes import MISTAKES
from .precision_mistakes import IMPRECISE
from .reference import Grids, Reference

WORK = 2_000_000  # pairs of tokens times channels: larger cases are left out of --quick


class _Attention(Kind):
    def context(self, case, dtype):
        """Return the grids of a window's index, and the dtype in which exp overflows."""
        grids = getattr(case.inputs.get("index"), "grids", None)
        range_of = "float64" if dtype == "float64" else "float32"
        return {"grids": grids and Grids(*grids), "range_of": range_of}

    def is_large(self, case):
        batch, heads, q_len, dim = case.inputs["q"].shape
        return batch * heads * q_len * case.inputs["k"].shape[2] * dim > WORK


ATTENTION = _Attention(
    name="attention",
    about="out = softmax(scale · q kᵀ + table[index] + mask) v",
    arguments={
        "q": "(B, H, Lq, d)",
        "k": "(B, H, Lk, d)",
        "v": "(B, H, Lk, dv)",
        "table": "(R, H), a column per head",
        "index": "(Lq, Lk), integers: the row of the table that each pair reads",
        "mask": "what broadcasts to (B, H, Lq, Lk), or (nW, 1, Lq, Lk): b uses mask[b mod nW]",
        "scale": "a number; 1/√d if it is not given",
    },
    axes={
        "out": ("batch", "head", "query", "channel"),
        "dq": ("batch", "head", "query", "channel"),
        "dk": ("batch", "head", "key", "channel"),
        "dv": ("batch", "head", "key", "channel"),
        "dtable": ("row", "head"),
    },
    cases=tuple(case for case in CASES if (case.kind, case.name) == ("op", "attention")),
    reference=Reference,
    mistakes=MISTAKES,
    steps=IMPRECISE,
    features=FEATURES,
)
