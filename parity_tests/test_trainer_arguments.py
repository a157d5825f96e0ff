"""Arguments that Trainer, AdamW, the schedule and clipping of both twins refuse, changing nothing."""

import numpy as np
import pytest

import numpy_ref

from .both import TWINS, array
from .trainers import (
    INF,
    NAN,
    assert_refused,
    assert_unchanged,
    batch,
    model_of,
    no_int,
    no_number,
    trainer_of,
)

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
    "accumulate": no_int(0, -1),
    "ema_decay": [pair for pair in no_number(-0.1, 1, INF) if pair[0] is not None],
    "precision": [(16, TypeError), (None, TypeError), ("fp64", ValueError), ("float32", ValueError)],
    "attention": [(0, TypeError), (True, TypeError), ("flash", ValueError)],
    "compile": [(1, TypeError), (None, TypeError), ("no", TypeError)],
}


@TWINS
@pytest.mark.parametrize("name", TRAINER)
def test_the_trainer_refuses(twin, name):
    """A refused Trainer must not have moved the model's parameters into its flat arrays."""
    model = model_of(twin)
    before = [p.data for p in model.parameters()]
    options = {"lr": 1e-3, "total_steps": 10, "device": "cpu"}
    assert_refused(lambda value: twin.Trainer(model, **options | {name: value}), name, TRAINER[name])
    if twin is numpy_ref:
        assert all(p.data is data for p, data in zip(model.parameters(), before, strict=True))


def test_the_numpy_trainer_refuses_what_only_pytorch_has():
    model = model_of(numpy_ref)
    for name, value in (
        ("precision", "bf16"),
        ("precision", "fp16"),
        ("attention", "eager"),
        ("compile", True),
    ):
        with pytest.raises(ValueError, match=rf"^{name} is {value!r}, but the NumPy twin has only"):
            numpy_ref.Trainer(model, 1e-3, 10, **{name: value})


@TWINS
@pytest.mark.parametrize("model", [None, 3, "model", np.zeros(3)], ids=str)
def test_the_trainer_refuses_what_is_no_model(twin, model):
    with pytest.raises(TypeError, match=r"^model is a"):
        twin.Trainer(model, 1e-3, 10)


@TWINS
def test_numbers_of_numpy_are_numbers(twin):
    """NumPy integers become Python's, so that 8-bit ones do not overflow in the schedule."""
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
@pytest.mark.parametrize(
    ("name", "pairs"),
    [
        ("step", no_int(-1)),
        ("total_steps", no_int(0)),
        ("lr", no_number(0, -1, INF)),
        ("warmup_steps", no_int(-1)),
        ("min_lr", no_number(-1, INF, 2.0)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_schedule_refuses(twin, name, pairs):
    options = {"step": 1, "total_steps": 10, "lr": 1.0, "warmup_steps": 2, "min_lr": 0.1}
    assert_refused(lambda value: twin.learning_rate(**options | {name: value}), name, pairs)


@TWINS
@pytest.mark.parametrize("name", ["weight_decay", "table_lr_factor", "lr"])
def test_parameter_groups_refuse(twin, name):
    named, options = (
        list(model_of(twin).named_parameters()),
        {"weight_decay": 0.1, "table_lr_factor": 2.0},
    )
    pairs = [(bad, error) for bad, error in no_number(-1, INF) if (name, bad) != ("lr", None)]
    assert_refused(lambda v: twin.parameter_groups(named, **options | {name: v}), name, pairs)


@TWINS
def test_clipping_refuses(twin):
    """A bad max_norm is refused and the gradients stay; a negative one would reverse them."""
    trainer = trainer_of(twin)
    trainer.train_step(*batch())
    parameters = list(trainer.model.parameters())
    before = [array(p.grad).copy() for p in parameters]
    assert_refused(
        lambda value: twin.clip_grad_norm(parameters, value), "max_norm", TRAINER["clip_norm"]
    )
    for p, grad in zip(parameters, before, strict=True):
        np.testing.assert_array_equal(array(p.grad), grad)
    with pytest.raises(TypeError, match=r"^parameters has a str"):
        twin.clip_grad_norm(["weight"], 1.0)


@TWINS
def test_adamw_refuses(twin):
    groups = twin.parameter_groups(model_of(twin).named_parameters(), 0.1, 2.0)
    assert_refused(lambda value: twin.AdamW(groups, betas=value), "betas", BETAS)
    assert_refused(lambda value: twin.AdamW(groups, eps=value), "eps", no_number(0, -1e-8, INF))


@TWINS
@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda groups: None, TypeError, "^groups is a NoneType"),
        (lambda groups: [], ValueError, "^groups is empty"),
        (lambda groups: ["params"], TypeError, "^groups is a list, expected a sequence of dicts"),
        (lambda groups: [{"params": []}], ValueError, "^groups has one without lr_factor, param_names"),
        (lambda groups: [groups[0] | {"params": {}}], TypeError, "^params is a dict, expected a list"),
        (lambda groups: [groups[0] | {"param_names": [1]}], TypeError, r"^param_names is \[1\]"),
        (lambda groups: [groups[0] | {"params": []}], ValueError, "^param_names has . names for 0"),
        (lambda groups: [groups[2] | {"params": [3]}], TypeError, "^parameters has a int"),
        (
            lambda groups: [g | {"param_names": ["a"] * len(g["params"])} for g in groups],
            ValueError,
            "^groups has a name twice",
        ),
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
def test_a_step_refuses_its_rate_and_changes_nothing(twin):
    trainer = trainer_of(twin)
    trainer.train_step(*batch())
    before = trainer.state_dict()
    assert_refused(trainer.optimizer.step, "lr", no_number(-1e-3, INF))
    assert_unchanged(trainer, *before)


@TWINS
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"images": [[0.0]]}, TypeError, "^images is a list"),
        ({"images": np.zeros((4, 1, 8, 8), complex)}, TypeError, "^images has dtype complex128"),
        ({"images": np.zeros((4, 1, 8, 8), object)}, TypeError, "^images has dtype object"),
        ({"images": np.float32(3)}, TypeError, "^images is a float32"),
        ({"images": np.array(3.0)}, ValueError, r"^images has shape \(\)"),
        ({"images": np.ma.zeros((4, 1, 8, 8))}, TypeError, "^images is a masked array"),
        ({"labels": np.ma.zeros(4, int)}, TypeError, "^labels is a masked array"),
        ({"labels": np.array([0, 1, 2, 10])}, ValueError, r"^labels has entries in \[0, 10\]"),
        ({"labels": np.array([0, 1, 2, -1])}, ValueError, r"^labels has entries in \[-1, 2\]"),
        ({"labels": np.array([0, 1, 2, -100])}, ValueError, "^labels has entries"),
        ({"labels": np.array([[0, 1, 2, 3]])}, ValueError, r"^labels has shape \(1, 4\)"),
        ({"labels": np.ones(4, bool)}, TypeError, "^labels has dtype bool"),
        ({"labels": np.zeros(4)}, TypeError, "^labels has dtype float64"),
        ({"labels": [0, 1, 2, 3]}, TypeError, "^labels is a list"),
        ({"labels": np.zeros(3, int)}, ValueError, r"^labels has shape \(3,\)"),
        ({"images": np.zeros((4, 1, 8, 6))}, ValueError, r"^images has shape \(4, 1, 8, 6\)"),
        ({"images": np.zeros((0, 1, 8, 8))}, ValueError, "^images has shape .* at least one"),
    ],
)
def test_a_batch_is_refused_before_it_is_computed(twin, change, error, message):
    """The generator stays too: dropout has not drawn yet."""
    trainer = trainer_of(twin, model_of(twin, drop_rate=0.5))
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
@pytest.mark.parametrize(
    ("shares", "error", "message"),
    [
        (np.ones((4, 9)), ValueError, r"^labels has shape \(4, 9\), expected \(4, 10\)"),
        (np.ones((3, 10)), ValueError, r"^labels has shape \(3, 10\), expected \(4, 10\)"),
        (np.ma.ones((4, 10)), TypeError, "^labels is a masked array"),
        (np.ones((4, 10), np.float16), TypeError, "^labels has dtype float16"),
        (np.ones((4, 10), complex), TypeError, "^labels has dtype complex128"),
    ],
)
def test_shares_of_classes_that_do_not_fit_are_refused(twin, shares, error, message):
    trainer = trainer_of(twin)
    before = trainer.state_dict()
    with pytest.raises(error, match=message):
        trainer.train_step(batch()[0], shares)
    with pytest.raises(TypeError, match=r"^labels (has dtype|is a masked)"):
        trainer.evaluate(batch()[0], np.ones((4, 10)) if shares.dtype == float else shares)
    assert_unchanged(trainer, *before)


@TWINS
def test_predict_refuses_its_batch_size(twin):
    trainer, images = trainer_of(twin), batch()[0]
    assert_refused(lambda value: trainer.predict(images, value), "batch_size", no_int(0, -1))


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
