"""AdamW, which keeps the parameters of a group as parts of one flat array, even if one is replaced."""

import numpy as np
import pytest

import numpy_ref
import numpy_ref.ops as ops
from numpy_ref.nn import Parameter

from . import budget

SHAPES = {"weight": (5, 7), "other": (5, 7), "bias": (5,), "table": (9, 2), "empty": (0, 3)}


def parameters(dtype=np.float64):
    rng = np.random.default_rng(0)
    return {name: Parameter(rng.standard_normal(shape).astype(dtype)) for name, shape in SHAPES.items()}


def optimizer(named, **options):
    rest = {name: p for name, p in named.items() if name != "table"}
    parts = (rest, 0.1, 1.0), ({"table": named["table"]}, 0.0, 20.0), ({}, 0.0, 1.0)
    groups = [
        {"params": list(part.values()), "param_names": list(part), "weight_decay": w, "lr_factor": f}
        for part, w, f in parts
    ]
    return numpy_ref.AdamW(groups, **options)


def gradients(step):
    rng = np.random.default_rng(step + 1)
    return {name: rng.standard_normal(shape) for name, shape in SHAPES.items()}


def step(adamw, named, number, lr=1e-2):
    adamw.zero_grad()
    for name, grad in gradients(number).items():
        named[name].accumulate(grad)
    adamw.step(lr)


class Definition:
    """The same steps by `numpy_ref.ops.adamw_update` on each array by itself."""

    def __init__(self, named):
        self.data = {name: p.data.copy() for name, p in named.items()}
        self.start()

    def start(self):
        self.m = {name: np.zeros(shape) for name, shape in SHAPES.items()}
        self.v = {name: np.zeros(shape) for name, shape in SHAPES.items()}
        self.steps = 0

    def step(self, number, lr=1e-2):
        self.steps += 1
        for name, grad in gradients(number).items():
            factor, decay = (20, 0.0) if name == "table" else (1, 0.1)
            arrays = self.data[name], grad, self.m[name], self.v[name]
            ops.adamw_update(*arrays, self.steps, lr * factor, decay)


def assert_same(named, data):
    for name, expected in data.items():
        assert budget.float64(name, expected, named[name].data).ok, name


def test_it_is_the_definition_of_every_array():
    named = parameters()
    adamw, definition = optimizer(named), Definition(named)
    for number in range(5):
        step(adamw, named, number)
        definition.step(number)
    assert_same(named, definition.data)
    assert_same({n: Parameter(m) for n, m in adamw.exp_avg.items()}, definition.m)
    assert_same({n: Parameter(v) for n, v in adamw.exp_avg_sq.items()}, definition.v)


def test_a_groups_parameters_lie_in_one_array_and_so_do_their_gradients():
    named = parameters()
    before = {name: p.data.copy() for name, p in named.items()}
    first, tables, _ = optimizer(named).flat_parameters()
    assert first.shape == (75,)
    for name, p in named.items():
        flat = tables if name == "table" else first
        assert p.data.size == 0 or np.shares_memory(p.data, flat.data)
        assert p.grad.size == 0 or np.shares_memory(p.grad, flat.grad)
        assert p.shape == SHAPES[name]
        np.testing.assert_array_equal(p.data, before[name])
    first.grad[...] = 3
    named["table"].accumulate(2)
    assert (named["bias"].grad == 3).all()
    assert (tables.grad == 2).all()


def test_what_is_put_in_a_parameters_place_counts():
    """New arrays for data and gradient, of another dtype and layout, are set between steps."""
    named = parameters()
    adamw, definition = optimizer(named), Definition(named)
    for number in range(4):
        new = np.random.default_rng(number).standard_normal((7, 5)).T
        named["weight"].data = new
        definition.data["weight"] = new.copy()
        named["other"].data = named["weight"].data[::-1].astype(np.float32)
        definition.data["other"] = new[::-1].astype(np.float32).astype(np.float64, order="C")
        adamw.zero_grad()
        for name, grad in gradients(number).items():
            named[name].grad = grad
        adamw.step(1e-2)
        definition.step(number)
        assert_same(named, definition.data)


def test_a_replaced_gradient_is_clipped_and_set_to_zero_too():
    named = parameters()
    adamw = optimizer(named)
    for name, shape in SHAPES.items():
        named[name].grad = np.full(shape, 2.0)
    norm = numpy_ref.clip_grad_norm(adamw.flat_parameters(), 1.0)
    assert budget.float64("norm", 2 * np.sqrt(93), norm).ok
    assert budget.float64("grad", np.full(SHAPES["bias"], 2 / (norm + 1e-6)), named["bias"].grad).ok
    named["bias"].grad = np.ones(5)
    adamw.zero_grad()
    assert not any(p.grad.any() for p in named.values())


def test_two_optimizers_one_after_the_other():
    """Each has its own moments and updates the same parameters; the first still works afterwards."""
    named = parameters()
    first, definition = optimizer(named), Definition(named)
    step(first, named, 0)
    definition.step(0)
    kept = definition.m, definition.v, definition.steps
    second = optimizer(named)
    definition.start()
    for number in (1, 2):
        step(second, named, number)
        definition.step(number)
    assert_same(named, definition.data)
    definition.m, definition.v, definition.steps = kept
    step(first, named, 3)
    definition.step(3)
    assert_same(named, definition.data)


def test_its_state_continues_elsewhere():
    named = parameters()
    adamw = optimizer(named)
    for number in range(3):
        step(adamw, named, number)
    others = {name: Parameter(p.data.copy()) for name, p in named.items()}
    other, state = optimizer(others), adamw.state_dict()
    other.load_state_dict(state, adamw.steps)
    step(adamw, named, 3)
    assert any((state[key] != array).any() for key, array in adamw.state_dict().items())
    step(other, others, 3)
    for name in SHAPES:
        np.testing.assert_array_equal(named[name].data, others[name].data)
    assert other.steps == adamw.steps == 4


def test_a_state_that_does_not_fit_changes_nothing():
    named = parameters()
    adamw = optimizer(named)
    step(adamw, named, 0)
    before = adamw.state_dict()
    spoiled = {key: array + 1 for key, array in before.items()}
    spoiled["exp_avg_sq.table"] = np.zeros((2, 9))
    with pytest.raises(ValueError, match=r"exp_avg_sq\.table has shape \(2, 9\)"):
        adamw.load_state_dict(spoiled, 7)
    assert adamw.steps == 1
    for key, array in adamw.state_dict().items():
        np.testing.assert_array_equal(array, before[key])
