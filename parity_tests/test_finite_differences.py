"""Every backward of the NumPy twin against central differences in float64.

<grad, u> = (f(θ + hu) − f(θ − hu)) / 2h, where f is the inner product of the outputs with random
gradients. Each tensor is checked along random directions, which cover all its entries, and along single
entries, which locate a fault.
"""

import numpy as np
import pytest

import numpy_ref

from . import budget
from .cases import CASES
from .run import build, given_of, has_grad, run_numpy

DIRECTIONS, ENTRIES = 3, 6
SLOW = {"op-gelu-large", "op-bias-large", "op-linear-large"}  # plain NumPy runs the same code for small
DIFFERENTIABLE = [c for c in CASES if c.id not in SLOW]


@pytest.mark.parametrize("case", DIFFERENTIABLE, ids=lambda case: case.id)
def test_gradients_are_slopes(case):
    given = given_of(case, "float64")
    grads = run_numpy(given, implementation="numpy")
    leaves = {f"d{n}": given.inputs[n] for n in case.inputs if has_grad(case, n)}
    leaves |= {f"grad.{n}": a for n, a in given.state.items()}
    assert leaves.keys() == {name for name in grads if budget.is_gradient(name)}
    rng = np.random.default_rng(0)
    for name, leaf in leaves.items():
        for direction in _directions(leaf, rng):
            slope = _slope(given, leaf, direction)
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


def _slope(given, leaf, direction):
    """Return the slope along the direction; the leaf is changed in place and restored."""
    start = leaf.copy()
    values = []
    for sign in (1, -1):
        leaf[...] = start + sign * budget.DIFFERENCE_STEP * direction
        values.append(_paired_output(given))
    leaf[...] = start
    return (values[0] - values[1]) / (2 * budget.DIFFERENCE_STEP)


def _paired_output(given):
    outs = _outputs(given)
    cotangents = given.cotangents(outs)
    finite = [np.where(np.isfinite(o), o, 0.0) for o in outs]
    return sum(np.sum(o * g) for o, g in zip(finite, cotangents, strict=True))


def _outputs(given):
    case, inputs = given.case, given.inputs
    with numpy_ref.use_ops("numpy"):
        if case.kind == "op":
            out = getattr(numpy_ref.ops, f"{case.name}_forward")(**inputs, **case.options)
            out = out if case.name == "bias" else out[0]
            return list(out) if isinstance(out, tuple) else [out]
        if case.kind == "function":
            return [getattr(numpy_ref, case.name)(**inputs, **case.options)]
        module = build(numpy_ref, case, np.float64)
        module.load_state_dict(given.state)
        out = module(**inputs, **case.call)
        return out if isinstance(out, list) else [out]
