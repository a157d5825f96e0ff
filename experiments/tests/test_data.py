"""Splits, standardisation and arguments of `load_data`."""

import numpy as np
import pytest
from data_files import splits, undo
from PIL import Image
from sklearn.datasets import load_digits

from experiments.data import load_data
from experiments.data.scaling import scaled
from experiments.data.split import standardise


def assert_standard(images, mean, std):
    """Images (N, h, w) of one channel have mean 0 and std 1, but for the rounding to float32.

    `mean` and `std` are rounded once, each image in the subtraction and in the division. A mean and a
    std are no further off than the root mean square of the elements' errors, which is at most u times
    that of the images (1), for each rounding.
    """
    unit = np.finfo(np.float32).eps / 2
    wide = images.astype(np.float64)
    assert abs(wide.mean()) <= unit * (abs(mean / std) + 3)
    assert abs(wide.std() - 1) <= unit * 4


class TestDigits:
    data = load_data("digits")

    def test_splits_partition_the_source(self):
        source = load_digits()
        rows = [np.rint(undo(self.data, s) * 16).reshape(-1, 64) for s in splits(self.data)]
        labels = [s.labels for s in splits(self.data)]
        ours = np.c_[np.concatenate(rows), np.concatenate(labels)]
        theirs = np.c_[source.images.reshape(-1, 64), source.target]
        np.testing.assert_array_equal(ours[np.lexsort(ours.T)], theirs[np.lexsort(theirs.T)])

    def test_fractions_are_of_the_whole_set(self):
        assert [len(s.labels) for s in splits(self.data)] == [1257, 270, 270]
        data = load_data("digits", val_fraction=0.1, test_fraction=0.3)
        assert [len(s.labels) for s in splits(data)] == [1797 - 180 - 540, 180, 540]

    def test_splits_are_stratified(self):
        shares = np.bincount(load_digits().target) / 1797
        for split in splits(self.data):
            counts = np.bincount(split.labels, minlength=10)
            assert np.abs(counts - shares * len(split.labels)).max() <= 1.5

    def test_shapes_and_types(self):
        assert self.data.name == "digits"
        assert self.data.classes == tuple("0123456789")
        assert self.data.mean.shape == self.data.std.shape == self.data.black.shape == (1,)
        for split in splits(self.data):
            assert split.images.shape == (len(split.labels), 1, 8, 8)
            assert split.images.dtype == np.float32
            assert split.labels.dtype == np.int64

    def test_only_the_training_split_is_standard(self):
        train, val, _ = (s.images[:, 0] for s in splits(self.data))
        assert_standard(train, *self.data.mean, *self.data.std)
        with pytest.raises(AssertionError):
            assert_standard(val, *self.data.mean, *self.data.std)

    def test_black_is_the_standardised_zero(self):
        zero = undo(self.data, self.data.train) < 1 / 32  # half of one of the 16 steps of grey
        np.testing.assert_array_equal(self.data.train.images[zero], self.data.black[0])

    def test_the_split_depends_on_the_seed_alone(self):
        np.random.seed(1)  # global state must not matter
        again, other = load_data("digits"), load_data("digits", split_seed=1)
        for a, b in zip(splits(self.data), splits(again), strict=True):
            np.testing.assert_array_equal(a.images, b.images)
            np.testing.assert_array_equal(a.labels, b.labels)
        assert not np.array_equal(self.data.test.labels, other.test.labels)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "cifar"}, "name: .*digits, fashion_mnist, mnist, folder.*'cifar'"),
        ({"name": "digits", "root": "x"}, "root: .*'x'"),
        ({"name": "mnist"}, "--data.root"),
        ({"name": "folder"}, "--data.root"),
        ({"name": "digits", "val_fraction": 0}, "val_fraction: .* 0"),
        ({"name": "digits", "test_fraction": 1.0}, r"test_fraction: .* 1\.0"),
        ({"name": "digits", "val_fraction": float("nan")}, "val_fraction: .* nan"),
        ({"name": "digits", "val_fraction": 0.5, "test_fraction": 0.5}, r"val_.*test_.* 1\.0"),
        ({"name": "digits", "val_fraction": 1e-3}, "class '8': .* val split.*val_fraction"),
        ({"name": "digits", "image_size": (8,)}, r"image_size: .*\(8,\)"),
        ({"name": "digits", "image_size": (0, 8)}, r"image_size: .*\(0, 8\)"),
        ({"name": "digits", "split_seed": -1}, "split_seed: .* -1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        load_data(**arguments)


def test_the_native_image_size_changes_nothing():
    given, plain = load_data("digits", image_size=(8, 8)), load_data("digits")
    np.testing.assert_array_equal(given.train.images, plain.train.images)


def test_other_sizes_have_the_same_images_resized():
    data, plain = load_data("digits", image_size=(16, 12)), load_data("digits")
    assert data.summary.image_shape == (1, 16, 12)
    for part in ("train", "val", "test"):
        ours, theirs = getattr(data, part), getattr(plain, part)
        np.testing.assert_array_equal(ours.labels, theirs.labels)
        raw = (undo(plain, theirs) * 16).round() / 16  # the digits' 17 grey levels, exactly
        expected = standardise(scaled(raw, (16, 12)), data.mean, data.std)
        np.testing.assert_array_equal(ours.images, expected)
    assert_standard(data.train.images[:, 0], *data.mean, *data.std)


def test_scaled_figures_worked_out_by_hand():
    """Two pixels become four: at −0.25, 0.25, 0.75, 1.25 of the two. Rows and columns do not mix."""
    images = np.array([[[[0, 1], [0.5, 0.5]]]], np.float32)
    expected = [[[[0, 0.25, 0.75, 1], [0.5, 0.5, 0.5, 0.5]]]]
    np.testing.assert_array_equal(scaled(images, (2, 4)), expected)


def test_a_constant_channel_is_only_centred(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        for i in range(10):
            Image.new("RGB", (3, 3), (i, 77, 0)).save(tmp_path / name / f"{i}.png")
    data = load_data("folder", root=tmp_path)
    np.testing.assert_array_equal(data.std[1:], 1)
    np.testing.assert_array_equal(data.train.images[:, 1:], 0)
    assert_standard(data.train.images[:, 0], data.mean[0], data.std[0])
