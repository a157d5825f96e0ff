"""Random crops, RandAugment, erasing and mixing: each image's depends on seed, epoch and row only."""

import numpy as np
import pytest
import torch
from data_files import write_images
from PIL import Image

from experiments.data import load_data, vision
from experiments.data.augmentation import BATCH, IMAGE, Augmentation, seeded
from experiments.data.batches import batches
from experiments.data.pixels import in_bytes

v2 = vision.transforms()
SIZE = (8, 6)
MEAN, STD = np.float32([0.6, 0.4, 0.2]), np.float32([0.2, 0.3, 0.4])
ALL = Augmentation((0.2, 0.9), (0.5, 2.0), (2, 9), 0.5, 0.8, 1.0)
ALONE = {
    "crop": Augmentation(crop_scale=(0.2, 0.9)),
    "rand": Augmentation(rand_augment=(3, 9)),
    "erasing": Augmentation(random_erasing=0.9),
    "mixup": Augmentation(mixup=0.8),
    "cutmix": Augmentation(cutmix=1.0),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("augmented")
    write_images(folder, {"a": 20, "b": 20}, mode="RGB", size=(12, 10))
    return folder


@pytest.fixture(scope="module")
def data(root):
    """The images, streamed in this process."""
    return load(root)


def load(root, streaming=True, **options):
    moments = {"mean": MEAN.tolist(), "std": STD.tolist()}
    return load_data("folder", root, image_size=SIZE, streaming=streaming, **moments | options)


def epoch(data, augmentation=ALL, batch_size=8, number=1, **options):
    options = {"flip": True, "num_classes": 2} | options
    return list(batches(data.train, batch_size, 3, number, augmentation=augmentation, **options))


def assert_same_batches(one, other):
    for a, b in zip(one, other, strict=True):
        for x, y in zip(a, b, strict=True):
            assert x.dtype == y.dtype
            np.testing.assert_array_equal(x, y)


def test_processes_and_what_was_drawn_before_change_no_bit(root, data):
    before = epoch(data)
    torch.manual_seed(1234)
    state = torch.get_rng_state()
    assert_same_batches(epoch(data), before)
    assert_same_batches(epoch(load(root, workers=2)), before)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", ["crop", "rand", "erasing"])
def test_an_image_is_changed_by_seed_epoch_and_row(data, name):
    """Not by its batch; and each of the three matters."""
    once, plain = epoch(data, ALONE[name], 64)[0], epoch(data, Augmentation(), 64)[0]
    parts = epoch(data, ALONE[name], 5)
    for whole, part in zip(once, zip(*parts, strict=True), strict=True):
        np.testing.assert_array_equal(np.concatenate(part), whole)
    differ = (once[0] != plain[0]).any(axis=(1, 2, 3))
    assert differ.sum() > len(differ) / 2
    np.testing.assert_array_equal(once[1], plain[1])
    rows = {seeds: data_of(data, ALONE[name], seeds) for seeds in ((3, 1, 0), (4, 1, 0), (3, 2, 0))}
    again = data_of(data, ALONE[name], (3, 1, 0))
    np.testing.assert_array_equal(again, rows[3, 1, 0])
    assert not np.array_equal(rows[3, 1, 0], rows[4, 1, 0])
    assert not np.array_equal(rows[3, 1, 0], rows[3, 2, 0])


def data_of(data, augmentation, seeds):
    """Return all training images in their own order, augmented."""
    seed, number, _ = seeds
    rows = np.random.default_rng([seed, number]).permutation(len(data.train.labels))
    images = np.concatenate(
        [x for x, _ in batches(data.train, 9, seed, number, augmentation=augmentation)]
    )
    return images[np.argsort(rows)]


def test_the_images_are_those_of_torchvision(root, data):
    """The same transforms by hand: crop, RandAugment on the scale of 0 to 10, standardise, erase."""
    augmentation = Augmentation((0.2, 0.9), (0.5, 2.0), (2, 9), 0.9)
    found = data_of(data, augmentation, (3, 1, 0))
    bilinear = v2.InterpolationMode.BILINEAR
    gray = [round(255 * float(m)) for m in MEAN]
    steps = [
        v2.RandomResizedCrop(SIZE, (0.2, 0.9), (0.5, 2.0), bilinear),
        v2.RandAugment(2, 9, 11, bilinear, gray),
    ]
    for row, name in enumerate(data.train.names):
        with seeded(IMAGE, 3, 1, row):
            image = v2.Compose(steps)(Image.open(root / name.decode()))
        pixels = np.asarray(image, np.float32).transpose(2, 0, 1) / np.float32(255)
        pixels = (pixels - MEAN[:, None, None]) / STD[:, None, None]
        with seeded(IMAGE, 3, 1, row, 1):
            pixels = v2.RandomErasing(0.9, value="random")(torch.from_numpy(pixels))
        np.testing.assert_array_equal(found[row], pixels)


@pytest.mark.parametrize("mode", ["1", "L", "I;16"])
def test_gray_images_are_augmented_as_bytes(tmp_path, mode):
    """A step of 16 bits is a step of 8: white stays white."""
    white = {"1": 1, "L": 255, "I;16": 65535}[mode]
    for name in "ab":
        (tmp_path / name).mkdir()
        for i in range(8):
            Image.new(mode, (9, 9), white).save(tmp_path / name / f"{i}.png")
    data = load(tmp_path, mean=[0.0], std=[1.0])
    for images, _ in epoch(data, ALONE["crop"]):
        np.testing.assert_array_equal(images, 1)


@pytest.mark.parametrize("mode", ["I", "I;16"])
def test_sixteen_bits_are_rounded_to_eight(mode):
    """Pillow's own conversion cuts mode I off at 255."""
    for deep, byte in ((0, 0), (128, 0), (129, 1), (25700, 100), (65535, 255)):
        assert in_bytes(Image.new(mode, (1, 1), deep), 1).getpixel((0, 0)) == byte


class TestMixing:
    def test_mixup_adds_the_image_before(self, data):
        """In float32 to the bit: λ · own + (1 − λ) · before, of images and of one-hot labels."""
        plain = epoch(data, Augmentation())
        for (images, labels), (mixed, shares) in zip(plain, epoch(data, ALONE["mixup"]), strict=True):
            own, before = np.eye(2, dtype=np.float32)[labels], np.roll(labels, 1)
            (row, *_) = np.flatnonzero(labels != before)
            share, rest = shares[row, labels[row]], shares[row, before[row]]
            assert abs(float(share) + float(rest) - 1) <= np.finfo(np.float32).eps / 2  # two roundings
            np.testing.assert_array_equal(shares, share * own + rest * np.roll(own, 1, axis=0))
            np.testing.assert_array_equal(mixed, share * images + rest * np.roll(images, 1, axis=0))
            assert shares.dtype == mixed.dtype == np.float32

    def test_cutmix_takes_a_rectangle_of_the_image_before(self, data):
        plain = epoch(data, Augmentation())
        for (images, labels), (mixed, shares) in zip(plain, epoch(data, ALONE["cutmix"]), strict=True):
            before = np.roll(images, 1, axis=0)
            cut = (mixed != images).all(axis=(0, 1))
            np.testing.assert_array_equal(mixed, np.where(cut, before, images))
            assert cut[cut.any(1)][:, cut.any(0)].all()
            differ = labels != np.roll(labels, 1)
            np.testing.assert_array_equal(shares[differ, labels[differ]], np.float32(1 - cut.mean()))

    def test_each_batch_gets_one_of_the_two(self, data):
        kinds = {name: epoch(data, ALONE[name], 2, 1) for name in ("mixup", "cutmix")}
        plain = epoch(data, Augmentation(), 2, 1)
        both = epoch(data, Augmentation(mixup=0.8, cutmix=1.0), 2, 1)
        cut = [
            ((x == y) | (x == np.roll(y, 1, axis=0))).all()
            for (x, _), (y, _) in zip(both, plain, strict=True)
        ]
        assert len(kinds["mixup"]) == len(both) == 14
        assert 0 < sum(cut) < len(cut)

    def test_images_in_memory_are_mixed_alike(self, root, data):
        kept, both = load(root, streaming=False), Augmentation(mixup=0.8, cutmix=1.0)
        assert_same_batches(epoch(kept, both), epoch(data, both))

    def test_seed_epoch_and_place_matter(self, data):
        shares = [y.max(1).min() for n in (1, 2) for _, y in epoch(data, ALONE["mixup"], number=n)]
        assert len(set(shares)) == len(shares)

    def test_a_batch_is_that_of_torchvision(self, data):
        choice = v2.RandomChoice([v2.MixUp(alpha=0.8, num_classes=2), v2.CutMix(num_classes=2)])
        expected = []
        for number, batch in enumerate(epoch(data, Augmentation())):
            with seeded(BATCH, 3, 1, 8 * number):
                expected.append([each.numpy() for each in choice(*map(torch.from_numpy, batch))])
        assert_same_batches(epoch(data, Augmentation(mixup=0.8, cutmix=1.0)), expected)

    def test_classes_that_are_too_few_are_named(self, data):
        with pytest.raises(ValueError, match=r"num_classes: .* 1, got 1"):
            batches(data.train, 8, 0, 1, augmentation=ALL, num_classes=1)


class TestShares:
    @pytest.mark.parametrize("ranks", [2, 3, 5])
    @pytest.mark.parametrize("augmentation", [Augmentation(), ALL], ids=["plain", "all"])
    @pytest.mark.parametrize("streaming", [False, True], ids=["memory", "streamed"])
    def test_together_are_the_batch_of_one_process(self, root, ranks, augmentation, streaming):
        if augmentation.changes_images and not streaming:
            augmentation = Augmentation(mixup=0.8, cutmix=1.0)
        data = load(root, streaming)
        moves = {"max_shift": 1, "fill": data.black}
        whole = epoch(data, augmentation, **moves)
        parts = [epoch(data, augmentation, share=(rank, ranks), **moves) for rank in range(ranks)]
        joined = [
            tuple(np.concatenate(each) for each in zip(*batch, strict=True))
            for batch in zip(*parts, strict=True)
        ]
        assert_same_batches(joined, whole)
        sizes = [len(part[0][1]) for part in parts]
        assert max(sizes) - min(sizes) <= 1

    def test_a_process_reads_its_own_images_and_one_neighbour(self, data, monkeypatch):
        read, reader = [], type(data.train.loader.reader)
        whole = reader.__getitem__
        monkeypatch.setattr(
            reader, "__getitem__", lambda self, task: read.append(len(task.names)) or whole(self, task)
        )
        epoch(data, ALONE["crop"], share=(1, 4))
        assert read == [2, 2, 2, 1]
        read.clear()
        epoch(data, ALL, share=(1, 4))
        assert read == [3, 3, 3, 2]

    def test_a_share_may_be_empty(self, data):
        sizes = [x.shape for x, _ in epoch(data, ALL, batch_size=9, share=(0, 2))]
        assert sizes == [(4, 3, *SIZE)] * 3 + [(0, 3, *SIZE)]
        labels = [y.shape for _, y in epoch(data, ALL, batch_size=9, share=(0, 2))]
        assert labels[-1] == (0, 2)

    @pytest.mark.parametrize("share", [(2, 2), (-1, 2), (0, 0)])
    def test_one_that_is_none_is_named(self, data, share):
        with pytest.raises(ValueError, match=r"share: expected \(rank, ranks\)"):
            batches(data.train, 8, 0, 1, share=share)


def test_what_to_install_is_said(root, monkeypatch):
    def missing():
        raise ModuleNotFoundError("No module named 'torchvision'")

    monkeypatch.setattr(vision, "import_torchvision", missing)
    with pytest.raises(ValueError, match=r"need torchvision, .*pip install torch torchvision"):
        ALL.check_installed()
    Augmentation().check_installed()
