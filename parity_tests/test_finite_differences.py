"""Every backward against central differences in float64, by the NumPy twin alone.

<grad, u> = (f(θ + hu) − f(θ − hu)) / 2h, where f is the output (or outputs) paired with a random
cotangent. Each tensor is checked along random directions, which see all its entries, and along single
entries, which say where.
"""

import numpy as np
import pytest

import numpy_ref

from . import budget
from .cases import CASES, Normal
from .run import build, cotangents_of, inputs_of, run_numpy, state_of

DIRECTIONS, ENTRIES = 3, 6
SLOW = {"op-gelu-large", "op-bias-large", "op-linear-large"}  # the same code as their small rows
DIFFERENTIABLE = [c for c in CASES if c.id not in SLOW]


@pytest.mark.parametrize("case", DIFFERENTIABLE, ids=lambda case: case.id)
def test_gradients_are_slopes(case):
    inputs, state = inputs_of(case, "float64"), state_of(case, "float64")
    grads = run_numpy(case, inputs, state, "float64", "numpy")
    leaves = {f"d{n}": inputs[n] for n, spec in case.inputs.items() if isinstance(spec, Normal)}
    leaves |= {f"grad.{n}": a for n, a in state.items()}
    assert leaves.keys() == {name for name in grads if budget.is_gradient(name)}
    rng = np.random.default_rng(0)
    for name, leaf in leaves.items():
        for direction in _directions(leaf, rng):
            slope = _slope(case, inputs, state, leaf, direction)
            expected = np.sum(grads[name] * direction)
            row = budget.float64(name, slope, expected, budget.DIFFERENCE)
            assert row.ok, f"{name}: analytic {expected}, numeric {slope}"


def _directions(leaf, rng):
    for _ in range(DIRECTIONS):
        yield rng.standard_normal(leaf.shape) / np.sqrt(leaf.size)
    for entry in rng.choice(leaf.size, min(ENTRIES, leaf.size), replace=False):
        unit = np.zeros(leaf.size)
        unit[entry] = 1
        yield unit.reshape(leaf.shape)


def _slope(case, inputs, state, leaf, direction):
    """Moves the leaf in place, both ways, and puts it back."""
    start = leaf.copy()
    values = []
    for sign in (1, -1):
        leaf[...] = start + sign * budget.DIFFERENCE_STEP * direction
        values.append(_paired_output(case, inputs, state))
    leaf[...] = start
    return (values[0] - values[1]) / (2 * budget.DIFFERENCE_STEP)


def _paired_output(case, inputs, state):
    outs = _outputs(case, inputs, state)
    cotangents = cotangents_of(case, outs, "float64")
    finite = [np.where(np.isfinite(o), o, 0.0) for o in outs]
    return sum(np.sum(o * g) for o, g in zip(finite, cotangents, strict=True))


def _outputs(case, inputs, state):
    with numpy_ref.use_ops("numpy"):
        if case.kind == "op":
            out = getattr(numpy_ref.ops, f"{case.name}_forward")(**inputs, **case.options)
            out = out if case.name == "bias" else out[0]
            return list(out) if isinstance(out, tuple) else [out]
        module = build(numpy_ref, case, np.float64)
        module.load_state_dict(state)
        return [module(**inputs, **case.call)]
