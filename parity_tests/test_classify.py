"""`classify` takes images as they come from a file, and gives names and probabilities."""

import numpy as np
import pytest
import torch

import numpy_ref
import torch_impl

from . import budget
from .both import TWINS, float64
from .small_models import ABOUT, NAMES, saved, small, state_of


@pytest.fixture
def folder(tmp_path):
    return saved(tmp_path / "model")


SWIN = {"img_size": 8, "patch_size": 2, "in_chans": 1, "num_classes": 3, "embed_dim": 4}
SWIN |= {"depths": (2,), "num_heads": (2,), "window_size": 2}


def formula(model, images):
    """Return softmax(model(x)), x = (images / 255 − mean) / std in float32; uint8 (N, h, w, C)."""
    mean, std = (np.array(model.preprocessing[name], np.float32) for name in ("mean", "std"))
    x = ((images.astype(np.float32) / np.float32(255) - mean) / std).transpose(0, 3, 1, 2)
    if isinstance(model, torch.nn.Module):
        logits = model(torch.from_numpy(x).to(model.dtype)).detach().double().numpy()
    else:
        logits = model(x.astype(model.dtype)).astype(np.float64)
    odds = np.exp(logits)
    return odds / odds.sum(-1, keepdims=True)


def same(found, expected):
    return budget.float64("probabilities", expected, found).ok


@TWINS
def test_colour_images_are_classified(twin):
    model = small(twin, img_size=(8, 12), in_chans=3, dtype=float64(twin)).eval()
    model.preprocessing = {"mean": [0.1, 0.5, 0.9], "std": [0.2, 0.3, 1.0]}
    model.classes = NAMES
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 12, 3), np.uint8)
    expected = formula(model, images)
    names, probabilities = model.train().classify(images)
    assert same(probabilities, expected)
    assert probabilities.dtype == np.float64
    assert names == [NAMES[n] for n in expected.argmax(-1)]
    assert len(set(map(tuple, expected.round(3)))) == 5
    assert not model.training
    for few in (model.classify(images, batch_size=2), model.classify(images.astype(np.float32) / 255)):
        assert same(few.probabilities, probabilities)
        assert few.names == names
    one = model.classify(images[3])
    assert (one.names, one.probabilities.shape) == ([names[3]], (1, 3))
    assert same(one.probabilities[0], probabilities[3])


@TWINS
def test_gray_images_need_no_axis_for_it(twin):
    model = small(twin, dtype=float64(twin))
    model.preprocessing = ABOUT
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8), np.uint8)
    names, probabilities = model.classify(images)
    assert names == [str(n) for n in probabilities.argmax(-1)]
    for layout in (images[..., None], images[:, ::-1][:, ::-1], np.asfortranarray(images)):
        np.testing.assert_array_equal(model.classify(layout).probabilities, probabilities)
    for layout in (images[0], images[0][..., None]):
        assert same(model.classify(layout).probabilities, probabilities[:1])


def test_the_twins_classify_alike(folder):
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8), np.uint8)
    ours, theirs = (
        t.from_pretrained(folder, "float64").classify(images) for t in (numpy_ref, torch_impl)
    )
    assert ours.names == theirs.names
    assert same(theirs.probabilities, ours.probabilities)


@TWINS
def test_images_and_parameters_are_left_alone(twin, folder):
    model = twin.from_pretrained(folder)
    before, images = state_of(model), np.random.default_rng(0).random((2, 8, 8), np.float32)
    images.flags.writeable = False
    model.classify(images)
    for name, a in state_of(model).items():
        np.testing.assert_array_equal(a, before[name])


@TWINS
def test_a_matrix_and_more_at_a_time_than_there_are(twin):
    model = small(twin)
    model.preprocessing = ABOUT
    image = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    expected = model.classify(image).probabilities
    for found in (model.classify(np.asmatrix(image)), model.classify(image, batch_size=10**30)):
        np.testing.assert_array_equal(found.probabilities, expected)


@TWINS
def test_classes_that_do_not_fit_are_named(twin):
    model = small(twin)
    model.preprocessing, model.classes = ABOUT, ["ant"]
    with pytest.raises(ValueError, match="classes has 1 names, the model has 3"):
        model.classify(np.zeros((8, 8), np.uint8))


@TWINS
def test_a_class_of_ones_own_needs_the_arguments_by_name(twin, tmp_path):
    class Own(twin.VisionTransformer):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)

    model = Own(img_size=8, embed_dim=8, depth=1, num_heads=2)
    model.preprocessing = ABOUT
    for call in (
        lambda: model.save_pretrained(tmp_path / "own"),
        lambda: model.classify(np.zeros((8, 8))),
    ):
        with pytest.raises(TypeError, match="Own has no argument dtype, generator, img_size, in_chans"):
            call()
    assert list(tmp_path.iterdir()) == []


def test_half_precision_classifies(folder):
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8), np.uint8)
    model = torch_impl.from_pretrained(folder, "bfloat16")
    probabilities = model.classify(images).probabilities
    assert same(probabilities, formula(model, images[..., None]))
    assert probabilities.dtype == np.float64


IMAGES = {
    "list": ([[1]], TypeError, "images is a list, expected a NumPy array"),
    "tensor": (torch.zeros(8, 8), TypeError, "images is a Tensor, expected a NumPy array"),
    "masked": (np.ma.zeros((8, 8)), TypeError, "images is a MaskedArray, expected a NumPy array"),
    "integers": (
        np.zeros((8, 8), int),
        TypeError,
        "images has dtype int64, expected uint8, or floats in",
    ),
    "bools": (np.zeros((8, 8), bool), TypeError, "images has dtype bool, expected uint8"),
    "text": (np.full((8, 8), "a"), TypeError, "images has dtype <U1, expected uint8"),
    "size": (
        np.zeros((8, 9), np.uint8),
        ValueError,
        r"images has shape \(8, 9\), expected \(8, 8, 1\) or \(8, 8\), or several of these",
    ),
    "chans": (np.zeros((8, 8, 3), np.uint8), ValueError, r"images has shape \(8, 8, 3\)"),
    "first": (np.zeros((1, 8, 8, 3), np.uint8), ValueError, r"images has shape \(1, 8, 8, 3\)"),
    "none": (np.zeros((0, 8, 8), np.uint8), ValueError, r"images has shape \(0, 8, 8\)"),
    "number": (np.uint8(3), TypeError, "images is a uint8, expected a NumPy array"),
    "scalar": (np.zeros((), np.uint8), ValueError, r"images has shape \(\)"),
    "range": (np.full((8, 8), 255.0), ValueError, r"values in \[255.0, 255.0\], expected \[0, 1\]"),
    "negative": (np.full((8, 8), -0.1), ValueError, r"images has values in \[-0.1, -0.1\]"),
    "nan": (np.full((8, 8), np.nan), ValueError, "images has values in"),
}


@TWINS
@pytest.mark.parametrize(("images", "error", "message"), IMAGES.values(), ids=IMAGES)
def test_what_is_no_image_is_named(twin, images, error, message):
    model = small(twin)
    model.preprocessing = ABOUT
    with pytest.raises(error, match=message):
        model.classify(images)


@TWINS
def test_a_model_that_cannot_classify_says_so(twin):
    model, image = small(twin), np.zeros((8, 8), np.uint8)
    with pytest.raises(ValueError, match=r"preprocessing is None, expected \{'mean'"):
        model.classify(image)
    model.preprocessing = {"mean": [0.5]}
    with pytest.raises(ValueError, match=r"preprocessing: missing \['std'\]"):
        model.classify(image)
    model.preprocessing = ABOUT
    with pytest.raises(ValueError, match="batch_size is 0, expected at least 1"):
        model.classify(image, batch_size=0)
    for options in ({"features_only": True}, {"num_classes": 0}):
        features = twin.SwinTransformer(**SWIN | options)
        features.preprocessing = ABOUT
        with pytest.raises(ValueError, match="the model has no classes: it was built for features"):
            features.classify(image)


@TWINS
def test_images_of_another_size_where_the_model_takes_them(twin, tmp_path):
    """`image_size` is then that of the preprocessing; otherwise it must be the model's."""
    about = ABOUT | {"image_size": (12, 8)}
    with pytest.raises(
        ValueError, match=r"preprocessing.image_size is \(12, 8\), the model takes \(8, 8\)"
    ):
        twin.SwinTransformer(**SWIN).save_pretrained(tmp_path / "strict", about)
    twin.SwinTransformer(**SWIN, strict_img_size=False).save_pretrained(tmp_path / "model", about)
    model = twin.SwinTransformer.from_pretrained(tmp_path / "model")
    assert model.classify(np.zeros((12, 8), np.uint8)).probabilities.shape == (1, 3)
    with pytest.raises(
        ValueError, match=r"images has shape \(8, 8\), expected \(12, 8, 1\) or \(12, 8\)"
    ):
        model.classify(np.zeros((8, 8), np.uint8))
