"""AdamW, which keeps the parameters of a group as parts of one flat array, even if one is replaced."""

import copy
import functools

import numpy as np
import pytest

import numpy_ref
import numpy_ref.kernels as kernels
import numpy_ref.ops as ops
from numpy_ref.nn import Parameter

from . import budget
from .calls import misaligned, read_only
from .rounded import RoundedOps, on_grid
from .yardstick import yardsticks

SHAPES = {"weight": (5, 7), "other": (5, 7), "bias": (5,), "table": (9, 2), "empty": (0, 3)}
RATES = {"lr": 1e-2, "weight_decay": 0.1}


def parameters(dtype=np.float64):
    rng = np.random.default_rng(0)
    return {name: Parameter(rng.standard_normal(shape).astype(dtype)) for name, shape in SHAPES.items()}


def optimizer(named, **options):
    groups = [
        {
            "params": {n: p for n, p in named.items() if n != "table"},
            "weight_decay": 0.1,
            "lr_factor": 1.0,
        },
        {"params": {"table": named["table"]}, "weight_decay": 0.0, "lr_factor": 20.0},
        {"params": {}, "weight_decay": 0.0, "lr_factor": 1.0},
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


def arrays_of(size, dtype):
    """Return [data, gradient, m, v], with v of the size of g² as after some steps."""
    data, grad, m, v = np.random.default_rng(size).standard_normal((4, size)).astype(dtype)
    return [data, grad, m, v * v]


@pytest.mark.parametrize("module", [ops, kernels], ids=["ops", "kernels"])
@pytest.mark.parametrize(
    ("place", "spoil", "error", "message"),
    [
        (1, lambda a: a[:-1], ValueError, r"grad has shape \(5, 6\), expected \(6, 6\)"),
        (2, lambda a: a.reshape(4, 9), ValueError, r"exp_avg has shape \(4, 9\)"),
        (3, lambda a: a.astype(np.float32), TypeError, "exp_avg_sq: float32"),
        (0, lambda a: a.astype(np.int64), TypeError, "data has dtype int64"),
        (0, lambda a: a.T, ValueError, "data is not contiguous"),
        (3, lambda a: np.repeat(a, 2, 1)[:, ::2], ValueError, "exp_avg_sq is not contiguous"),
        (0, read_only, ValueError, "data is read-only"),
        (2, read_only, ValueError, "exp_avg is read-only"),
        (3, lambda a: np.broadcast_to(a[:1], a.shape), ValueError, "exp_avg_sq is not contiguous"),
        (0, misaligned, ValueError, "data is not aligned"),
        (1, lambda a: None, TypeError, "grad is a NoneType"),
        (2, np.ma.masked_invalid, TypeError, "exp_avg is a masked array"),
        (3, lambda a: a.tolist(), TypeError, "exp_avg_sq is a list"),
        (1, lambda a: a.astype(">f8"), TypeError, "grad has dtype >f8"),
    ],
)
def test_the_update_refuses_what_does_not_fit_and_changes_nothing(module, place, spoil, error, message):
    arrays = [a.reshape(6, 6) for a in arrays_of(36, np.float64)]
    arrays[place] = spoil(arrays[place])
    assert_refused(module, arrays, error, message)


def assert_refused(module, arrays, error, message, **rates):
    before = [copy.deepcopy(a) for a in arrays]
    with pytest.raises(error, match=message):
        module.adamw_update(*arrays, **{"step": 1} | RATES | rates)
    for array, unchanged in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, unchanged)


@pytest.mark.parametrize("module", [ops, kernels], ids=["ops", "kernels"])
@pytest.mark.parametrize("shift", [0, 1, 35])
@pytest.mark.parametrize("pair", [(0, 1), (0, 2), (0, 3), (2, 1), (2, 3), (3, 1)])
def test_the_update_refuses_arrays_that_overlap(pair, shift, module):
    """An overlap by one element is refused; adjacent parts of one array are accepted."""
    memory, arrays = arrays_of(80, np.float64)[3], arrays_of(36, np.float64)
    arrays[pair[0]], arrays[pair[1]] = memory[:36], memory[shift : shift + 36]
    assert_refused(module, arrays, ValueError, "overlaps")
    arrays[pair[1]] = memory[36:72]
    module.adamw_update(*arrays, step=1, **RATES)


@pytest.mark.parametrize("module", [ops, kernels], ids=["ops", "kernels"])
@pytest.mark.parametrize("lay", [read_only, misaligned, lambda a: np.repeat(a, 2)[::2]])
def test_the_gradient_is_only_read(lay, module):
    plain, given = arrays_of(36, np.float64), arrays_of(36, np.float64)
    given[1] = lay(given[1])
    for arrays in (plain, given):
        module.adamw_update(*arrays, step=1, **RATES)
    for one, other in zip(plain, given, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("module", [ops, kernels], ids=["ops", "kernels"])
@pytest.mark.parametrize(
    ("rates", "error"),
    [
        ({"step": 0}, ValueError),
        ({"step": 1.0}, TypeError),
        ({"step": True}, TypeError),
        ({"lr": np.nan}, ValueError),
        ({"lr": -1e-3}, ValueError),
        ({"lr": "1"}, TypeError),
        ({"weight_decay": -0.1}, ValueError),
        ({"betas": (0.9, 1.0)}, ValueError),
        ({"betas": (np.nan, 0.9)}, ValueError),
        ({"betas": 0.9}, TypeError),
        ({"betas": (0.9,)}, TypeError),
        ({"eps": -1e-8}, ValueError),
        ({"eps": np.inf}, ValueError),
    ],
)
def test_the_update_refuses_rates_out_of_their_range(rates, error, module):
    arrays = arrays_of(36, np.float64)
    assert_refused(module, arrays, error, next(iter(rates)), **rates)


def updated(module, size, dtype, number, cast):
    arrays = [cast(a) for a in arrays_of(size, dtype)]
    module.adamw_update(*arrays, number, betas=(0.875, 0.9921875), eps=2.0**-20, **RATES)
    return dict(zip(("data", "grad", "exp_avg", "exp_avg_sq"), arrays, strict=True))


def rounded_update(size, dtype, number, rounding):
    return updated(
        RoundedOps(rounding), size, dtype, number, lambda a: on_grid(a.astype("float64"), rounding)
    )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 20000, 40000])
@pytest.mark.parametrize("number", [1, 1000])
def test_the_update_is_the_definition(number, size, dtype):
    truth = updated(ops, size, dtype, number, lambda a: a.astype("float64"))
    costs = {}
    if dtype == "float32":
        costs = yardsticks(truth, functools.partial(rounded_update, size, dtype, number), dtype)
    for module in (ops, kernels):
        found = updated(module, size, dtype, number, lambda a: a.astype(dtype))
        for name in truth:
            assert found[name].dtype == dtype
            row = budget.row(name, truth[name], found[name], costs.get(name))
            assert row.ok, row
            assert name != "grad" or budget.exact("grad", arrays_of(size, dtype)[1], found["grad"]).ok


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("shape", [(0,), (1,), (15,), (16,), (17,), (20000,), (40000,), (3, 5, 700), ()])
def test_the_squared_norm_is_the_definition(shape, dtype):
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    x = np.asarray(x).T
    truth, norm = {"out": np.array(ops.squared_norm(x.astype("float64")))}, kernels.squared_norm(x)
    assert isinstance(norm, float)
    cost = None
    if dtype == "float32":  # the kernel adds blocks of 256 squares in float32
        wide = x.astype("float64")
        cost = yardsticks(truth, lambda r: {"out": RoundedOps(r).squared_norm(wide)}, dtype)["out"]
    assert budget.row("out", truth["out"], norm, cost).ok


def test_the_squared_norm_goes_beyond_what_a_float32_square_can_be():
    x = np.array([1e30, 3.0], np.float32)
    assert kernels.squared_norm(x) == ops.squared_norm(x) > 9e59
    for bad in (np.inf, np.nan):
        assert not np.isfinite(kernels.squared_norm(np.array([1.0, bad], np.float32)))
