"""Planted errors of graded size: they measure how small an error the budget notices.

A `Plant` changes the result of one op of the kernels by a relative size: 2⁻¹⁶ is 1 in 65,536.
`python -m parity_tests.plants` measures the smallest power of two that the budget notices in float32, in
one of the plant's cases and in half of them, and writes docs/results/plants.json. `test_plants` checks
these sizes again; it turns red when a rule or the cases become less sensitive.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

import numpy_ref.kernels

from .cases import CASES
from .run import given_of, run_numpy
from .verdict import judge

RESULTS = Path(__file__).parent.parent / "docs" / "results" / "plants.json"
SMALLEST, LARGEST = -24, 0  # exponents of the sizes


@dataclass(frozen=True)
class Plant:
    """change(array, size) changes what `op` returns as `field` ("out" for a forward's result).

    rows: a pattern for the ids of the cases that are run.
    """

    op: str
    field: str
    change: Callable
    rows: str

    @property
    def name(self):
        return f"{self.op} {self.field}: {self.change.__doc__}"

    def cases(self):
        return [case for case in CASES if re.match(self.rows, case.id)]


class Spoiled:
    """The kernels with a plant in the result of one op."""

    def __init__(self, plant, size):
        self._plant, self._size = plant, size

    def __getattr__(self, name):
        op = getattr(numpy_ref.kernels, name)
        return partial(self._spoilt, op) if name == self._plant.op else op

    def _spoilt(self, op, *args, **kwargs):
        result, field = op(*args, **kwargs), self._plant.field
        if field != "out":
            return result._replace(**{field: self._changed(getattr(result, field))})
        if isinstance(result, tuple):
            return self._changed(result[0]), *result[1:]
        return self._changed(result)

    def _changed(self, array):
        if array is None:
            return None
        if isinstance(array, tuple):  # cosine's q' and k'
            return self._changed(array[0]), *array[1:]
        return np.asarray(self._plant.change(np.array(array), self._size), array.dtype)


def reds(plant, size):
    """Return {case id: [tensors]} of the tensors over budget in float32."""
    found = {}
    for case in plant.cases():
        results = run_numpy(given_of(case, "float32"), implementation=Spoiled(plant, size))
        found[case.id] = [row.tensor for row in judge(case, "float32", results, "") if not row.ok]
    return {case_id: tensors for case_id, tensors in found.items() if tensors}


def measured(plant):
    """Return {"seen", "half"}: exponents of the smallest sizes noticed in one and half of the cases."""
    found, rows = {}, len(plant.cases())
    for exponent in range(SMALLEST, LARGEST + 1):
        red = len(reds(plant, 2.0**exponent))
        if red:
            found.setdefault("seen", exponent)
        if 2 * red >= rows:
            return found | {"half": exponent}
    return found


def scaled(x, size):
    """all elements too large"""
    return x * (1 + size)


def largest(x, size):
    """the largest element off"""
    return _at(x, -1, size)


def median(x, size):
    """a middling element off"""
    return _at(x, x.size // 2, size)


def small(x, size):
    """a small element off"""
    return _at(x, x.size // 10, size)


def digits(x, size):
    """rounded to fewer digits"""
    fraction, exponent = np.frexp(x)
    return np.ldexp(np.round(fraction / size) * size, exponent)


def shifted(x, size):
    """a constant added"""
    return x + size * np.sqrt(np.mean(np.square(x)))


def _at(x, rank, size):
    """Multiply the element of this rank by magnitude by 1 + size; return x."""
    flat = x.reshape(-1)
    place = np.argsort(np.abs(flat), kind="stable")[rank]
    flat[place] *= 1 + size
    return x


# {(op, field): pattern of its cases}; each is combined with every kind of error.
TARGETS = {
    ("attention_forward", "out"): "op-attention",
    ("attention_backward", "dq"): "op-attention",
    ("attention_backward", "dk"): "op-attention",
    ("attention_backward", "dv"): "op-attention",
    ("attention_backward", "dtable"): "op-attention-(table|swin|beit|cross|strips$)",
    ("attention_backward", "dbias"): "op-attention-(bias|all|strips_)",
    ("bias_backward", "out"): "scheme-(1d|2d|t5)|op-bias",
    ("linear_forward", "out"): "op-linear",
    ("linear_backward", "dx"): "op-linear",
    ("linear_backward", "dweight"): "op-linear",
    ("linear_backward", "dbias"): "op-linear-(bias|large|residual$|deep)",
    ("layer_norm_forward", "out"): "op-layer_norm",
    ("layer_norm_backward", "dx"): "op-layer_norm",
    ("layer_norm_backward", "dweight"): "op-layer_norm",
    ("layer_norm_backward", "dbias"): "op-layer_norm",
    ("gelu_forward", "out"): "op-gelu",
    ("gelu_backward", "out"): "op-gelu",
    ("mlp_forward", "out"): "op-mlp",
    ("mlp_backward", "dweight1"): "op-mlp",
    ("mlp_backward", "dbias2"): "op-mlp",
    ("cosine_forward", "out"): "op-cosine",
    ("cosine_backward", "dq"): "op-cosine",
    ("score_lookup_forward", "out"): "op-score",
    ("score_lookup_backward", "dembedding"): "op-score",
    ("value_lookup_forward", "out"): "op-value",
    ("value_lookup_backward", "dembedding"): "op-value",
    ("cross_entropy_backward", "out"): "op-cross_entropy",
    ("soft_cross_entropy_backward", "out"): "op-soft_cross_entropy",
}
KINDS = (scaled, digits, shifted, largest, median, small)
PLANTS = [Plant(*target, kind, rows) for target, rows in TARGETS.items() for kind in KINDS]


def main():
    """Measure every plant again; other entries of the file, as of an earlier rule, are kept."""
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for plant in PLANTS:
        found[plant.name] = {**found.get(plant.name, {}), **measured(plant)}
        print(plant.name, found[plant.name], flush=True)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
