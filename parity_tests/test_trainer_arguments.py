"""What Trainer, AdamW, the schedule and clipping refuse: alike in both twins, before a change."""

import fractions

import numpy as np
import pytest

import numpy_ref

from .both import TWINS, array, tensor

NAN, INF = float("nan"), float("inf")
NO_NUMBER = ["1", None, True, 1j, [1.0], np.array(1.0), object()]


def no_number(*also):
    return [(value, TypeError) for value in NO_NUMBER] + [(value, ValueError) for value in (NAN, *also)]


def no_int(*also):
    wrong = ["1", None, True, 1.0, NAN, np.float32(1), fractions.Fraction(1)]
    return [(value, TypeError) for value in wrong] + [(value, ValueError) for value in also]


BETAS = [
    (None, TypeError),
    (0.9, TypeError),
    ((0.9,), TypeError),
    ((0.9, "0.9"), TypeError),
    ((0.9, 1.0), ValueError),
    ((-0.1, 0.9), ValueError),
    ((NAN, 0.9), ValueError),
]
TRAINER = {
    "lr": no_number(0, -1e-3, INF, 10**400),
    "total_steps": no_int(0, -1),
    "warmup_steps": no_int(-1),
    "min_lr": no_number(-1e-9, INF, 1e-2),
    "weight_decay": no_number(-1e-9, INF),
    "table_lr_factor": no_number(-1, INF),
    "betas": BETAS,
    "clip_norm": [pair for pair in no_number(0, -1.0, INF) if pair[0] is not None],
    "label_smoothing": no_number(-0.1, 1.1, INF),
    "device": [(0, TypeError), (None, TypeError), ("tpu", ValueError)],
}


def cases(table):
    return pytest.mark.parametrize(
        ("name", "value", "error"),
        [(name, value, error) for name, pairs in table.items() for value, error in pairs],
        ids=str,
    )


def model_of(twin):
    options = {"img_size": 8, "embed_dim": 8, "depth": 1, "num_heads": 2}
    return twin.VisionTransformer(**options, generator=np.random.default_rng(0))


def trainer_of(twin, **options):
    return twin.Trainer(model_of(twin), **{"lr": 1e-3, "total_steps": 10, "device": "cpu"} | options)


def batch():
    return np.random.default_rng(1).standard_normal((4, 1, 8, 8), np.float32), np.arange(4)


@TWINS
@cases(TRAINER)
def test_the_trainer_refuses(twin, name, value, error):
    """And the model's parameters still are arrays of their own."""
    model = model_of(twin)
    before = [p.data for p in model.parameters()]
    options = {"lr": 1e-3, "total_steps": 10, "device": "cpu"} | {name: value}
    with pytest.raises(error, match=rf"^{name} (is|has)"):
        twin.Trainer(model, **options)
    if twin is numpy_ref:
        assert all(p.data is data for p, data in zip(model.parameters(), before, strict=True))


@TWINS
@pytest.mark.parametrize("model", [None, 3, "model", np.zeros(3)], ids=str)
def test_the_trainer_refuses_what_is_no_model(twin, model):
    with pytest.raises(TypeError, match=r"^model is a"):
        twin.Trainer(model, 1e-3, 10)


@TWINS
def test_numbers_of_numpy_are_numbers(twin):
    """Integers of eight bits become Python's, which do not overflow in the schedule."""
    trainer = trainer_of(
        twin,
        total_steps=np.uint8(200),
        warmup_steps=np.int8(100),
        lr=np.float32(0.5),
        min_lr=np.int16(0),
    )
    assert (type(trainer.total_steps), type(trainer.warmup_steps)) == (int, int)
    assert (type(trainer.lr), type(trainer.min_lr)) == (float, float)
    assert twin.learning_rate(np.uint8(250), np.uint8(255), 1.0, np.uint8(255)) == 251 / 255


@TWINS
@cases(
    {
        "step": no_int(-1),
        "total_steps": no_int(0),
        "lr": no_number(0, -1, INF),
        "warmup_steps": no_int(-1),
        "min_lr": no_number(-1, INF, 2.0),
    }
)
def test_the_schedule_refuses(twin, name, value, error):
    options = {"step": 1, "total_steps": 10, "lr": 1.0, "warmup_steps": 2, "min_lr": 0.1}
    with pytest.raises(error, match=rf"^{name} is"):
        twin.learning_rate(**options | {name: value})


@TWINS
@cases({"weight_decay": no_number(-1, INF), "table_lr_factor": no_number(-1, INF)})
def test_parameter_groups_refuse(twin, name, value, error):
    options = {"weight_decay": 0.1, "table_lr_factor": 2.0}
    with pytest.raises(error, match=rf"^{name} is"):
        twin.parameter_groups(model_of(twin).named_parameters(), **options | {name: value})


@TWINS
@pytest.mark.parametrize(("value", "error"), TRAINER["clip_norm"], ids=str)
def test_clipping_refuses(twin, value, error):
    """A negative one would turn the gradient round."""
    trainer = trainer_of(twin)
    trainer.train_step(*batch())
    parameters = list(trainer.model.parameters())
    before = [array(p.grad).copy() for p in parameters]
    with pytest.raises(error, match=r"^max_norm is"):
        twin.clip_grad_norm(parameters, value)
    for p, grad in zip(parameters, before, strict=True):
        np.testing.assert_array_equal(array(p.grad), grad)
    with pytest.raises(TypeError, match=r"^parameters has a str"):
        twin.clip_grad_norm(["weight"], 1.0)


@TWINS
@cases({"betas": BETAS, "eps": no_number(0, -1e-8, INF)})
def test_adamw_refuses(twin, name, value, error):
    groups = twin.parameter_groups(model_of(twin).named_parameters(), 0.1, 2.0)
    with pytest.raises(error, match=rf"^{name} is"):
        twin.AdamW(groups, **{name: value})


@TWINS
@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda groups: None, TypeError, "^groups is a NoneType"),
        (lambda groups: [], ValueError, "^groups is empty"),
        (lambda groups: ["params"], TypeError, "^groups is a list, expected a sequence of dicts"),
        (lambda groups: [{"params": {}}], ValueError, "^groups has one without lr_factor, weight_decay"),
        (lambda groups: [groups[0] | {"params": []}], TypeError, "^params is a list"),
        (lambda groups: [groups[0] | {"params": {"a": 3}}], TypeError, "^parameters has a int"),
        (lambda groups: [groups[0], groups[0]], ValueError, "^parameters has one twice"),
        (lambda groups: [groups[0] | {"lr_factor": -1}], ValueError, "^lr_factor is -1"),
        (lambda groups: [groups[0] | {"weight_decay": NAN}], ValueError, "^weight_decay is nan"),
    ],
)
def test_adamw_refuses_groups(twin, spoil, error, message):
    groups = twin.parameter_groups(model_of(twin).named_parameters(), 0.1, 2.0)
    with pytest.raises(error, match=message):
        twin.AdamW(spoil(groups))


@TWINS
@pytest.mark.parametrize(("value", "error"), no_number(-1e-3, INF), ids=str)
def test_a_step_refuses_its_rate_and_changes_nothing(twin, value, error):
    trainer = trainer_of(twin)
    trainer.train_step(*batch())
    before, progress = trainer.state_dict()
    with pytest.raises(error, match=r"^lr is"):
        trainer.optimizer.step(value)
    assert_unchanged(trainer, before, progress)


@TWINS
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"images": [[0.0]]}, TypeError, "^images is a list"),
        ({"images": np.zeros((4, 1, 8, 8), complex)}, TypeError, "^images has dtype complex128"),
        ({"images": np.zeros((4, 1, 8, 8), object)}, TypeError, "^images has dtype object"),
        ({"images": np.float32(3)}, TypeError, "^images is a float32"),
        ({"images": np.array(3.0)}, ValueError, r"^images has shape \(\)"),
        ({"labels": np.array([0, 1, 2, 10])}, ValueError, r"^labels has entries in \[0, 10\]"),
        ({"labels": np.array([0, 1, 2, -1])}, ValueError, r"^labels has entries in \[-1, 2\]"),
        ({"labels": np.array([0, 1, 2, -100])}, ValueError, "^labels has entries"),
        ({"labels": np.array([[0, 1, 2, 3]])}, ValueError, r"^labels has shape \(1, 4\)"),
        ({"labels": np.ones(4, bool)}, TypeError, "^labels has dtype bool"),
    ],
)
def test_a_batch_is_refused_before_it_is_computed(twin, change, error, message):
    trainer = trainer_of(twin)
    before, progress = trainer.state_dict()
    images, labels = batch()
    given = {"images": images, "labels": labels} | change
    for call in (trainer.train_step, trainer.evaluate):
        with pytest.raises(error, match=message):
            call(**given)
    if "images" in change:
        for call in (trainer.predict, trainer.attention_maps):
            with pytest.raises(error, match=message):
                call(given["images"])
    assert_unchanged(trainer, before, progress)


@TWINS
@pytest.mark.parametrize(("value", "error"), no_int(0, -1), ids=str)
def test_predict_refuses_its_batch_size(twin, value, error):
    with pytest.raises(error, match=r"^batch_size is"):
        trainer_of(twin).predict(batch()[0], value)


@TWINS
def test_no_images_are_refused(twin):
    nothing = np.zeros((0, 1, 8, 8), np.float32), np.zeros(0, int)
    trainer = trainer_of(twin)
    for call in (trainer.predict, trainer.attention_maps, lambda images: trainer.evaluate(*nothing)):
        with pytest.raises(ValueError, match=r"^images has shape"):
            call(nothing[0])


@TWINS
@pytest.mark.parametrize("dtype", [">f4", "<f2", "u1", "?", ">i8"])
def test_other_numbers_are_taken_for_images(twin, dtype):
    images = np.random.default_rng(2).integers(0, 2, (3, 1, 8, 8))
    trainer = trainer_of(twin)
    expected = trainer.predict(images.astype(np.float32))
    np.testing.assert_array_equal(trainer.predict(images.astype(dtype)), expected)
    assert trainer.predict(images.astype(dtype), np.uint8(2)).shape == (3, 10)
    labels = np.array([1, 2, 3])
    losses = {trainer.evaluate(images.astype(dtype), labels.astype(t)).loss for t in ("u1", ">i2", "i8")}
    assert len(losses) == 1


STATES = {
    "no dict": (lambda a, p: (list(a), p), TypeError, "^state is a list"),
    "a key that is no name": (lambda a, p: (a | {3: np.zeros(1)}, p), TypeError, "^state has the key 3"),
    "a model's key is missing": (
        lambda a, p: ({k: v for k, v in a.items() if k != "model.head.bias"}, p),
        ValueError,
        r"missing \['head\.bias'\]",
    ),
    "a moment is missing": (
        lambda a, p: ({k: v for k, v in a.items() if k != "optimizer.exp_avg.head.bias"}, p),
        ValueError,
        r"missing \['exp_avg\.head\.bias'\]",
    ),
    "a key of nobody": (lambda a, p: (a | {"head.bias": np.zeros(10)}, p), ValueError, "unexpected"),
    "another shape": (
        lambda a, p: (a | {"model.head.bias": np.zeros(9)}, p),
        ValueError,
        "head.bias has shape",
    ),
    "text": (
        lambda a, p: (a | {"model.head.bias": np.full(10, "x")}, p),
        TypeError,
        r"^model\.head\.bias is <U1",
    ),
    "a list": (
        lambda a, p: (a | {"optimizer.exp_avg.head.bias": [0.0] * 10}, p),
        TypeError,
        r"^optimizer\.exp_avg\.head\.bias is list",
    ),
    "complex": (
        lambda a, p: (a | {"optimizer.exp_avg_sq.head.bias": np.zeros(10, complex)}, p),
        TypeError,
        "is complex128",
    ),
    "progress is no dict": (lambda a, p: (a, [1]), TypeError, "^progress is a list"),
    "no step": (lambda a, p: (a, {"generator": p["generator"]}), ValueError, "^progress lacks step"),
    "a step before the first": (lambda a, p: (a, p | {"step": -1}), ValueError, "^step is -1"),
    "half a step": (lambda a, p: (a, p | {"step": 1.5}), TypeError, r"^step is 1\.5"),
    "a step in words": (lambda a, p: (a, p | {"step": "1"}), TypeError, "^step is '1'"),
    "a step that is true": (lambda a, p: (a, p | {"step": True}), TypeError, "^step is True"),
}
GENERATORS = {
    "nothing": None,
    "a list": [],
    "another kind": {"bit_generator": "MT19937"},
    "no numbers": {"bit_generator": "PCG64"},
    "no increment": {"state": {"state": 1}},
    "text": {"state": {"state": "1", "inc": 1}},
    "negative": {"state": {"state": -1, "inc": 1}},
    "too large": {"state": {"state": 2**128, "inc": 1}},
    "a fraction": {"state": {"state": 1.5, "inc": 1}},
    "a half that is text": {"has_uint32": "0"},
    "a half that is too large": {"uinteger": 2**64},
    "one field more": {"extra": 1},
}


@TWINS
@pytest.mark.parametrize(("spoil", "error", "message"), STATES.values(), ids=STATES)
def test_a_spoiled_state_changes_nothing(twin, spoil, error, message):
    trainer, arrays, progress = moved(twin)
    before = trainer.state_dict()
    with pytest.raises(error, match=message):
        trainer.load_state_dict(*spoil(arrays, progress))
    assert_unchanged(trainer, *before)


@TWINS
@pytest.mark.parametrize("change", GENERATORS.values(), ids=GENERATORS)
def test_a_spoiled_generator_changes_nothing(twin, change):
    trainer, arrays, progress = moved(twin)
    before = trainer.state_dict()
    whole = isinstance(change, dict) and "bit_generator" not in change
    state = progress["generator"] | change if whole else change
    with pytest.raises(ValueError, match=r"^generator: the state is"):
        trainer.load_state_dict(arrays, progress | {"generator": state})
    assert_unchanged(trainer, *before)


@TWINS
@pytest.mark.parametrize("kind", ["MT19937", "Philox", "SFC64", "PCG64DXSM"])
def test_generators_of_every_kind_survive_the_state(twin, kind):
    def trainer(seed):
        generator = np.random.Generator(getattr(np.random, kind)(seed))
        model = twin.VisionTransformer(8, embed_dim=8, depth=1, num_heads=2, generator=generator)
        return twin.Trainer(model, 1e-3, 10, device="cpu")

    one, other = trainer(0), trainer(1)
    other.load_state_dict(*one.state_dict())
    draws = [t.model.generator.random(5) for t in (one, other)]
    np.testing.assert_array_equal(*draws)


@TWINS
def test_adamw_refuses_a_state_and_changes_nothing(twin):
    trainer, _, _ = moved(twin)
    before, optimizer = trainer.state_dict(), trainer.optimizer
    state = optimizer.state_dict()
    for steps, error in no_int(-1):
        with pytest.raises(error, match=r"^steps is"):
            optimizer.load_state_dict({k: a + 1 for k, a in state.items()}, steps)
    with pytest.raises(TypeError, match=r"^state is a list"):
        optimizer.load_state_dict([], 1)
    assert_unchanged(trainer, *before)


def moved(twin):
    """(a trainer, the state of another one after a step)."""
    other = trainer_of(twin)
    other.train_step(*batch())
    return trainer_of(twin), *other.state_dict()


def assert_unchanged(trainer, arrays, progress):
    after, after_progress = trainer.state_dict()
    assert after_progress == progress
    for name, before in arrays.items():
        np.testing.assert_array_equal(after[name], before, err_msg=name)


def test_a_tensor_is_no_array_of_a_state():
    """The state is NumPy's in both twins; PyTorch's own is a TypeError, not half a load."""
    torch_impl = pytest.importorskip("torch_impl")
    trainer, arrays, progress = moved(torch_impl)
    tensors = {name: tensor(torch_impl, a) for name, a in arrays.items()}
    with pytest.raises(TypeError, match="is Tensor in the state"):
        trainer.load_state_dict(tensors, progress)
