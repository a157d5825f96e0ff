"""Judge attention on arrays that a test has drawn: the truth and the budget from plain NumPy."""

from dataclasses import dataclass

import numpy as np

from . import budget
from .cases._case import op
from .rounded import RandomRounding
from .run import Given, run_numpy
from .yardstick import yardsticks


@dataclass(frozen=True)
class Drawn(Given):
    """A case of attention whose inputs and gradient of the output are given, not drawn."""

    dout: np.ndarray | None = None

    def cotangents(self, outs):
        return [np.zeros(outs[0].shape) if self.dout is None else self.dout]


def assert_within_budget(found, inputs, dout=None, dtype="float32", nan=None, **options):
    """Assert that each tensor of {name: tensor} is right, and NaN where it should be.

    found: "out", "dq", …; inputs: {name: tensor}, arguments of `numpy_ref.ops.attention_forward`.
    dout: the gradient of the output; only needed for gradients.
    dtype: of the computation, whose rounding is allowed. It can hold the inputs.
    options: other arguments of `attention_forward`, such as scale.
    nan: {name: bool tensor} of the elements that are NaN, by default those of the truth.
    """
    arrays = {name: as_array(x) for name, x in inputs.items()}
    dout = None if dout is None else as_array(dout)
    given = Drawn(op("attention", "drawn", options), dtype, arrays, {}, dout=dout)
    found = {name: as_array(x) for name, x in found.items()}
    with np.errstate(invalid="ignore"):
        truth = run_numpy(given, "float64", "numpy")
    wrong = {name: np.isnan(truth[name]) for name in found}
    wrong |= {name: np.broadcast_to(as_array(x), wrong[name].shape) for name, x in (nan or {}).items()}

    def compared(results):
        return {name: np.asarray(results[name])[~wrong[name]] for name in found}

    costs = yardsticks(
        compared(truth), lambda r: compared(run_numpy(given, arithmetic=RandomRounding(r))), dtype
    )
    for name, x in found.items():
        np.testing.assert_array_equal(np.isnan(x), wrong[name], name)
        row = budget.row(name, costs[name].truth, x[~wrong[name]], costs[name])
        assert row.ok, row


def as_array(x):
    """Return a tensor as an array of NumPy, floats as float64."""
    x = x.detach().cpu()
    return x.double().numpy() if x.is_floating_point() else x.numpy()
