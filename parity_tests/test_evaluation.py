"""predict, evaluate and attention_maps of both trainers give plain NumPy's numbers, without dropout."""

import numpy as np
import pytest

import numpy_ref

from . import budget
from .both import TWINS, array, fill, float64, tensor

SIZES = {"img_size": 8, "patch_size": 4, "embed_dim": 12, "depth": 3, "num_heads": 2, "num_classes": 5}
DROPPED = {"drop_rate": 0.3, "attn_drop_rate": 0.3, "drop_path_rate": 0.4}
MODELS = {
    "shared_dropout": {"position": "shared_relative", **DROPPED},
    "cosine_dropout": {"cosine_attention": True, "rpb_kwargs": {"bias_type": "log_cpb"}, **DROPPED},
    "looks_at_query_dropout": {"rpb_kwargs": {"bias_type": "transformer_xl"}, **DROPPED},
    "mean": {"global_pool": "avg", "rpb_kwargs": {"bias_type": "shaw"}},
}
PARAMETERS = pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)


def trainer(twin, options):
    """Return a trainer in training mode, with the same weights in both twins."""
    model = twin.VisionTransformer(
        **SIZES | options, dtype=float64(twin), generator=np.random.default_rng(0)
    )
    return twin.Trainer(fill(twin, model)[0].train(), 1e-3, 10, device="cpu")


def images(count=20):
    return np.random.default_rng(1).standard_normal((count, 1, 8, 8))


def defined(options):
    """Return plain NumPy's logits and attention maps of the images, all in one batch."""
    with numpy_ref.use_ops("numpy"):
        model = trainer(numpy_ref, options).model.eval()
        return model(images()), model.attention_maps(images())


@TWINS
@PARAMETERS
@pytest.mark.parametrize("batch_size", [7, 20])
def test_predict(twin, options, batch_size):
    predicted = trainer(twin, options).predict(images(), batch_size=batch_size)
    assert budget.float64("logits", defined(options)[0], predicted).ok


@TWINS
@PARAMETERS
def test_evaluate(twin, options):
    """The loss is the mean of −log p of the label, without smoothing; 7 of 20 labels are right."""
    logits = defined(options)[0]
    answers = logits.argmax(-1)
    labels = np.where(np.arange(20) % 3 == 0, answers, (answers + 1) % 5)
    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    found = trainer(twin, options).evaluate(images(), labels)
    assert budget.float64("loss", -np.log(shares[np.arange(20), labels]).mean(), found.loss).ok
    assert found.correct == 7
    np.testing.assert_array_equal(found.predicted, answers)


@TWINS
def test_evaluate_goes_over_more_images_than_a_batch(twin):
    """300 images take two batches of the default size."""
    small = MODELS["mean"] | {"depth": 1}
    many, one = trainer(twin, small), trainer(twin, small)
    labels = np.arange(300) % 5
    expected = one.predict(images(300), batch_size=300)
    found = many.evaluate(images(300), labels)
    np.testing.assert_array_equal(found.predicted, expected.argmax(-1))
    assert found.correct == (expected.argmax(-1) == labels).sum()


@TWINS
@PARAMETERS
def test_attention_maps(twin, options):
    found = trainer(twin, options).attention_maps(images())
    truth = defined(options)[1]
    assert len(found) == len(truth) == 3
    for layer, (expected, maps) in enumerate(zip(truth, found, strict=True)):
        assert budget.float64(f"layer {layer}", expected, maps).ok
        assert budget.float64("sum", np.ones(maps.shape[:3]), maps.sum(-1)).ok


@TWINS
@PARAMETERS
def test_attention_maps_are_those_of_the_forward_pass(twin, options, monkeypatch):
    """A layer's map equals its attention's weights for the arguments that the forward pass gives it."""
    model, given, expected = trainer(twin, options).model.eval(), tensor(twin, images()), []
    for block in model.blocks:
        monkeypatch.setattr(block.attn, "forward", _watched(block.attn, expected))
    model(given)
    monkeypatch.undo()
    for ours, theirs in zip(expected, model.attention_maps(given), strict=True):
        assert budget.float64("maps", ours, array(theirs)).ok


def _watched(attn, seen):
    forward = attn.forward

    def call(x, bias=None, mask=None, residual=None):
        seen.append(array(attn.attention_weights(x, bias, mask)))
        return forward(x, bias, mask, residual)

    return call
