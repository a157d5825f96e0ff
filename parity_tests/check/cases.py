"""The cases a kernel is judged by: rows of the table of cases, with what a diagnosis needs to know."""

from dataclasses import dataclass

from ..cases import CASES, Case
from ..run import given_of
from ..verdict import truth_of
from .reference import Grids, Reference

ATTENTION = ("q", "k", "v", "table", "index", "mask", "scale")  # arguments of an attention kernel
BIAS = ("table", "index")
WORK = 2_000_000  # pairs of tokens times channels: larger cases are left out of --quick


@dataclass(frozen=True)
class Question:
    """A case in one precision: what a kernel gets, and what it should return.

    arguments: {name: array or number}; floats are float64 arrays of values that the dtype can hold.
    dout: the gradient of the output. truth: {name: array}, float64.
    """

    case: Case
    dtype: str
    arguments: dict
    dout: object
    truth: dict
    grids: Grids | None

    def asked_of(self, reference=Reference):
        """Return the reference, or a mistake, with these arguments."""
        dtype = "float64" if self.dtype == "float64" else "float32"
        return reference(self.dout, **self.arguments, grids=self.grids, range_of=dtype)


def questions(dtype, takes, needs=(), quick=False):
    """Return a `Question` per case of attention whose arguments are all in `takes`.

    needs: the arguments without which the kernel cannot be called.
    """
    found = [case for case in CASES if (case.kind, case.name) == ("op", "attention")]
    found = [c for c in found if set(needs) <= {*c.inputs, *c.options} <= set(takes)]
    return [question(case, dtype) for case in found if not quick or _work(case) <= WORK]


def question(case, dtype):
    """Return the `Question` of a case."""
    given, (truth, _) = given_of(case, dtype), truth_of(case, dtype)
    (dout,) = given.cotangents([truth["out"]])
    grids = getattr(case.inputs.get("index"), "grids", None)
    arguments = given.inputs | case.options
    return Question(case, dtype, arguments, dout, truth, grids and Grids(*grids))


def _work(case):
    batch, heads, q_len, dim = case.inputs["q"].shape
    return batch * heads * q_len * case.inputs["k"].shape[2] * dim
