"""How a step is computed: in micro-batches, with an average of the weights; the same in both twins."""

import numpy as np
import pytest

import numpy_ref
import torch_impl

from . import budget, report
from .both import TWINS, array, tensor
from .trainers import assert_unchanged, trainer_of

VIT = {"drop_rate": 0.1, "attn_drop_rate": 0.1, "drop_path_rate": 0.2}
DECAY = 0.7


def model_of(twin, **options):
    small = {"img_size": 8, "embed_dim": 16, "depth": 2, "num_heads": 2, "dtype": "float64"}
    return twin.VisionTransformer(**small | {"generator": np.random.default_rng(3)} | options)


def swin_of(twin):
    sizes = {"img_size": 16, "patch_size": 2, "window_size": 4, "embed_dim": 8}
    stages = {"depths": (1, 2), "num_heads": (1, 2), "num_classes": 10, "in_chans": 1}
    given = {"dtype": "float64", "drop_path_rate": 0.0, "generator": np.random.default_rng(3)}
    return twin.SwinTransformer(**sizes, **stages, **given)


MODELS = {"vit": (model_of, 8), "swin": (swin_of, 16)}


def trainer(twin, model, **options):
    return trainer_of(twin, model, **{"clip_norm": 0.5, "label_smoothing": 0.1, "lr": 3e-3} | options)


def batches(count=4, size=8, images=11):
    rng = np.random.default_rng(4)
    return [
        (rng.standard_normal((images, 1, size, size)), rng.integers(0, 10, images)) for _ in range(count)
    ]


def assert_close(name, ref, other, tolerance=budget.FLOAT64):
    row = budget.float64(name, ref, other, tolerance)
    assert row.ok, row


@TWINS
@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("accumulate", [2, 3, 11, 12])
def test_micro_batches_are_the_step_in_one_piece(twin, kind, accumulate):
    """Eleven images make unequal micro-batches; the norm is clipped, so it is that of the sum."""
    make, size = MODELS[kind]
    whole, parts = trainer(twin, make(twin)), trainer(twin, make(twin), accumulate=accumulate)
    for images, labels in batches(size=size):
        one, other = whole.train_step(images, labels), parts.train_step(images, labels)
        assert one.correct == other.correct
        assert one.grad_norm > whole.clip_norm
        assert_close("loss", one.loss, other.loss)
        assert_close("grad_norm", one.grad_norm, other.grad_norm)
        for (name, p), q in zip(whole.model.named_parameters(), parts.model.parameters(), strict=True):
            assert_close(f"grad.{name}", array(p.grad), array(q.grad))
        parts.load_state_dict(*whole.state_dict())  # AdamW makes much of rounding in a gradient of zero


@TWINS
def test_dropout_is_drawn_for_one_micro_batch_after_the_other(twin):
    images, labels = batches(1)[0]
    one = trainer(twin, model_of(twin, **VIT), accumulate=2)
    one.train_step(images, labels)
    other = trainer(twin, model_of(twin, **VIT)).model.train()
    tensors = trainer(twin, other)
    for part in (images[:6], images[6:]):
        other(part if twin is numpy_ref else tensors._images(part))
    states = [model.generator.bit_generator.state for model in (one.model, other)]
    assert states[0] == states[1]


def test_twins_agree_on_micro_batches_and_the_average():
    """Also the names in the state; evaluation uses the average in both."""
    options = {"accumulate": 3, "ema_decay": DECAY}
    ours = trainer(numpy_ref, model_of(numpy_ref, **VIT), **options)
    theirs = trainer(torch_impl, model_of(torch_impl, **VIT), **options, device=report.device())
    for images, labels in batches(8):
        a, b = ours.train_step(images, labels), theirs.train_step(images, labels)
        assert abs(a.loss - b.loss) <= budget.TRAINING_LOSS * abs(a.loss)
        assert a.correct == b.correct
    (arrays, progress), (others, other_progress) = ours.state_dict(), theirs.state_dict()
    assert progress == other_progress
    assert list(arrays) == list(others)
    for name in arrays:
        assert_close(name, arrays[name], others[name], budget.TRAINING_WEIGHTS)
    a, b = ours.evaluate(images, labels), theirs.evaluate(images, labels)
    assert abs(a.loss - b.loss) <= budget.TRAINING_LOSS * abs(a.loss)
    theirs.load_state_dict(arrays, progress)
    assert_unchanged(theirs, arrays, progress)


@TWINS
@pytest.mark.parametrize("decay", [0, 0.3, DECAY])
def test_the_average_is_that_of_the_weights_after_each_update(twin, decay):
    """The first update copies; then average ← decay · average + (1 − decay) · weights."""
    one = trainer(twin, model_of(twin), ema_decay=decay)
    weights, average = split(one)
    assert average.keys() == weights.keys()
    for name, begin in weights.items():
        np.testing.assert_array_equal(average[name], begin)
    truth = None
    for images, labels in batches(5):
        one.train_step(images, labels)
        weights, average = split(one)
        truth = truth or weights
        truth = {name: decay * a + (1 - decay) * weights[name] for name, a in truth.items()}
        for name, a in truth.items():
            assert_close(name, a, average[name])


def split(one):
    """Return the weights and their average, both {name: array}."""
    arrays, _ = one.state_dict()
    return (
        {n.removeprefix(top): a for n, a in arrays.items() if n.startswith(top)}
        for top in ("model.", "ema.")
    )


@TWINS
def test_evaluation_uses_the_average_and_gives_the_weights_back(twin):
    one = trainer(twin, model_of(twin), ema_decay=DECAY)
    for images, labels in batches(3):
        one.train_step(images, labels)
    before = one.state_dict()
    weights, average = split(one)
    plain = trainer(twin, model_of(twin))
    plain.model.load_state_dict({n: tensor(twin, a) for n, a in average.items()})
    logits = one.predict(images, 4)
    np.testing.assert_array_equal(logits, plain.predict(images, 4))
    assert one.evaluate(images, labels).loss == plain.evaluate(images, labels).loss
    for ours, theirs in zip(one.attention_maps(images), plain.attention_maps(images), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    plain.model.load_state_dict({n: tensor(twin, a) for n, a in weights.items()})
    assert (logits != plain.predict(images, 4)).any()
    assert_unchanged(one, *before)
    with pytest.raises(ValueError, match="images"):
        one.predict(images[:, :, :5])
    assert_unchanged(one, *before)


@TWINS
def test_a_state_without_the_average_or_with_one_too_many_changes_nothing(twin):
    plain, averaged = (trainer(twin, model_of(twin), ema_decay=decay) for decay in (None, DECAY))
    for one in (plain, averaged):
        one.train_step(*batches(1)[0])
    for one, other, word in ((plain, averaged, "unexpected"), (averaged, plain, "missing")):
        before = one.state_dict()
        with pytest.raises(ValueError, match=rf"{word} \['ema\.blocks"):
            one.load_state_dict(*other.state_dict())
        assert_unchanged(one, *before)
    arrays, progress = averaged.state_dict()
    with pytest.raises(ValueError, match=r"^ema\.head\.bias has shape"):
        averaged.load_state_dict(arrays | {"ema.head.bias": np.zeros(3)}, progress)


@TWINS
@pytest.mark.parametrize("after", [0, 2])
def test_a_continued_average_has_the_same_bits(twin, after):
    options = {"accumulate": 2, "ema_decay": DECAY}
    one, other = (trainer(twin, model_of(twin, **VIT), **options) for _ in range(2))
    for n, (images, labels) in enumerate(batches(5)):
        if n == after:
            other.load_state_dict(*one.state_dict())
        one.train_step(images, labels)
        if n >= after:
            other.train_step(images, labels)
    assert_unchanged(other, *one.state_dict())
