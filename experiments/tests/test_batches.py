"""Order and augmentation of an epoch."""

import numpy as np
import pytest
from data_files import SEEDS
from hypothesis import given
from hypothesis import strategies as st

from experiments.data import Split
from experiments.data.batches import batches
from experiments.data.plan import draw_moves, moved


def numbered_split(count, channels=1):
    """Return a Split of images that are filled with their number, which is also their label."""
    images = np.arange(count, dtype=np.float32)[:, None, None, None]
    return Split(np.broadcast_to(images, (count, channels, 5, 4)).copy(), np.arange(count))


def random_images(count=256, channels=2, size=(5, 4)):
    return np.random.default_rng(3).normal(size=(count, channels, *size)).astype(np.float32)


def augment(images, rng, max_shift, flip, fill):
    """Shift and mirror each image, or return the same images if there is nothing to do."""
    moves = draw_moves(rng, len(images), max_shift, flip)
    return images if moves is None else moved(images, moves, max_shift, fill)


def shifted_by_loop(image, down, right, fill):
    """Shift one image (C, H, W) pixel by pixel."""
    result = np.empty_like(image)
    for (c, y, x), _ in np.ndenumerate(image):
        inside = 0 <= y - down < image.shape[1] and 0 <= x - right < image.shape[2]
        result[c, y, x] = image[c, y - down, x - right] if inside else fill[c]
    return result


class TestBatches:
    @given(count=st.integers(1, 40), batch_size=st.integers(1, 50), seed=SEEDS, epoch=SEEDS)
    def test_an_epoch_has_each_image_once(self, count, batch_size, seed, epoch):
        images, labels = zip(*batches(numbered_split(count), batch_size, seed, epoch), strict=True)
        assert [len(y) for y in labels[:-1]] == [batch_size] * ((count - 1) // batch_size)
        assert len(labels[-1]) == (count - 1) % batch_size + 1
        labels = np.concatenate(labels)
        np.testing.assert_array_equal(np.sort(labels), np.arange(count))
        np.testing.assert_array_equal(np.concatenate(images)[:, 0, 0, 0], labels)

    @given(batch_size=st.integers(1, 70), seed=SEEDS, epoch=SEEDS, flip=st.booleans())
    def test_the_batch_size_does_not_matter(self, batch_size, seed, epoch, flip):
        split = Split(random_images(64), np.arange(64))
        settings = {"max_shift": 2, "flip": flip, "fill": np.zeros(2)}
        once = next(batches(split, 64, seed, epoch, **settings))
        parts = zip(*batches(split, batch_size, seed, epoch, **settings), strict=True)
        for whole, part in zip(once, parts, strict=True):
            np.testing.assert_array_equal(np.concatenate(part), whole)

    def test_seed_and_epoch_both_matter(self):
        orders = {
            tuple(next(batches(numbered_split(50), 50, seed, epoch))[1])
            for seed, epoch in ((0, 0), (0, 1), (1, 0), (1, 1))
        }
        assert len(orders) == 4
        expected = np.random.default_rng([1, 0]).permutation(50)
        assert tuple(expected) in orders

    def test_images_are_shifted_and_mirrored_as_drawn(self):
        """The same draws by hand: the order, then for each batch the moves of its images."""
        split, fill = Split(random_images(20), np.arange(20)), np.array([-7, 9], np.float32)
        rng = np.random.default_rng([4, 2])
        order = rng.permutation(20)
        for number, (images, labels) in enumerate(batches(split, 8, 4, 2, 1, True, fill)):
            np.testing.assert_array_equal(labels, order[8 * number : 8 * number + 8])
            draws = rng.integers(0, [2, 2, 1], (len(labels), 3), endpoint=True)
            for image, row, (top, left, mirror) in zip(images, labels, draws, strict=True):
                expected = shifted_by_loop(split.images[row], 1 - top, 1 - left, fill)
                np.testing.assert_array_equal(image, expected[..., ::-1] if mirror else expected)

    def test_the_split_is_left_alone(self):
        split = Split(random_images(), np.arange(256))
        before = split.images.copy()
        for images, labels in batches(split, 32, 0, 0, 2, True, np.zeros(2)):
            images += 1
            labels += 1
        for images, _ in batches(split, 32, 0, 0):
            images += 1
        np.testing.assert_array_equal(split.images, before)
        np.testing.assert_array_equal(split.labels, np.arange(256))

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"batch_size": 0}, "batch_size: .* 0"),
            ({"seed": -1}, "seed: .* -1"),
            ({"epoch": -2}, "epoch: .* -2"),
            ({"max_shift": -3}, "max_shift: .* -3"),
            ({"max_shift": 1}, r"fill: .*\(2,\), got None"),
            ({"max_shift": 1, "fill": np.zeros(3)}, r"fill: .*\(2,\)"),
        ],
    )
    def test_bad_arguments_are_named_before_the_first_batch(self, arguments, message):
        split = numbered_split(4, channels=2)
        with pytest.raises(ValueError, match=message):
            batches(**({"split": split, "batch_size": 2, "seed": 0, "epoch": 0} | arguments))


class TestAugment:
    def test_nothing_to_do_draws_nothing(self):
        images, rng = random_images(), np.random.default_rng(0)
        assert augment(images, rng, 0, False, None) is images
        assert rng.bit_generator.state == np.random.default_rng(0).bit_generator.state

    @pytest.mark.parametrize("flip", [False, True])
    @pytest.mark.parametrize("max_shift", [0, 1, 2, 7])
    def test_equals_a_plain_loop_over_all_shifts(self, max_shift, flip):
        fill = np.array([-7, 9], np.float32)
        images = random_images()
        before = images.copy()
        result = augment(images, np.random.default_rng(5), max_shift, flip, fill)
        assert result.dtype == np.float32
        np.testing.assert_array_equal(images, before)
        steps = range(-max_shift, max_shift + 1)
        for image, ours in zip(images, result, strict=True):
            moved = [shifted_by_loop(image, d, r, fill) for d in steps for r in steps]
            allowed = moved + [m[..., ::-1] for m in moved if flip]
            assert any(np.array_equal(ours, theirs) for theirs in allowed)

    def test_shifts_and_flips_are_uniform_and_independent(self):
        marker = np.zeros((20_000, 1, 7, 7), np.float32)
        marker[:, 0, 3, 3:5] = 1, 2  # the 1 shows the shift, the side of the 2 the flip
        result = augment(marker, np.random.default_rng(0), 2, True, np.zeros(1))[:, 0]
        _, y, x = np.nonzero(result == 1)
        _, _, neighbour = np.nonzero(result == 2)
        mirrored = (neighbour < x).astype(int)
        x = np.where(mirrored, 6 - x, x)
        counts = np.zeros((7, 7, 2))
        np.add.at(counts, (y, x, mirrored), 1)
        inner = counts[1:6, 1:6]
        assert inner.sum() == 20_000
        assert np.abs(inner - 400).max() < 5 * 20  # 5 standard deviations

    def test_a_flip_alone_needs_no_fill(self):
        images = random_images(100)
        result = augment(images, np.random.default_rng(0), 0, True, None)
        same = (result == images).all(axis=(1, 2, 3))
        assert 30 < same.sum() < 70
        np.testing.assert_array_equal(result[~same], images[~same][..., ::-1])
