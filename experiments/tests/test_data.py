"""Data sources, splits, damaged input, batches and augmentation."""

import gzip
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image
from sklearn.datasets import load_digits

from experiments.data import Split, load_data
from experiments.data.batches import augment, batches
from experiments.data.idx import DEBIAN_FASHION_MNIST, FASHION_CLASSES, read_idx

PARTS = ("train", "val", "test")
SEEDS = st.integers(0, 2**32 - 1)


def splits(data):
    return [getattr(data, part) for part in PARTS]


def undo(data, split):
    """Images in [0, 1], from standardised ones."""
    return split.images * data.std[:, None, None] + data.mean[:, None, None]


def idx_bytes(array, dtype_code=8):
    shape = np.array(array.shape, ">u4").tobytes()
    return bytes([0, 0, dtype_code, array.ndim]) + shape + array.astype(np.uint8).tobytes()


def numbered_images(count, size=(5, 4)):
    """Images (count, H, W) whose first pixel is their number, on random pixels."""
    images = np.random.default_rng(0).integers(0, 256, (count, *size), dtype=np.uint8)
    images[:, 0, 0] = np.arange(count)
    return images


def write_mnist(folder, joint="-", end=".gz"):
    """200 training images and 30 test images, 10 classes; returns the arrays by file stem."""
    pack = gzip.compress if end else bytes
    arrays_ = {
        f"train-images{joint}idx3-ubyte{end}": numbered_images(200),
        f"train-labels{joint}idx1-ubyte{end}": np.arange(200) % 10,
        f"t10k-images{joint}idx3-ubyte{end}": numbered_images(30)[::-1],
        f"t10k-labels{joint}idx1-ubyte{end}": np.arange(30) % 10,
    }
    for name, array in arrays_.items():
        (folder / name).write_bytes(pack(idx_bytes(array)))
    return list(arrays_.values())


def write_images(folder, counts, mode="L", size=(6, 4), ending="png", seed=0):
    """`counts[class]` random images of (H, W) `size` in each class subfolder."""
    rng = np.random.default_rng(seed)
    bands = () if mode == "L" else (len(mode),)
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for i in range(count):
            pixels = rng.integers(0, 256, (*size, *bands), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i:03}.{ending}")


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
        train, val, _ = (s.images.astype(np.float64) for s in splits(self.data))
        assert abs(train.mean()) < 1e-6
        assert abs(train.std() - 1) < 1e-6
        assert abs(val.mean()) > 1e-4
        assert abs(val.std() - 1) > 1e-4

    def test_black_is_the_standardised_zero(self):
        zero = undo(self.data, self.data.train) < 1e-6
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
        ({"name": "digits", "image_size": (16, 12)}, "image_size: .* 8x8 .* 16x12"),
        ({"name": "digits", "image_size": (8,)}, r"image_size: .*\(8,\)"),
        ({"name": "digits", "image_size": (0, 8)}, r"image_size: .*\(0, 8\)"),
        ({"name": "digits", "split_seed": -1}, "split_seed: .* -1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        load_data(**arguments)


def test_the_native_image_size_is_accepted():
    assert load_data("digits", image_size=(8, 8)).train.images.shape[2:] == (8, 8)


class TestIdx:
    @given(
        array=arrays(np.uint8, array_shapes(max_dims=4, min_side=0)),
        zipped=st.booleans(),
    )
    def test_round_trip(self, tmp_path_factory, array, zipped):
        path = tmp_path_factory.mktemp("idx") / "array"
        path.write_bytes((gzip.compress if zipped else bytes)(idx_bytes(array)))
        read = read_idx(path, array.ndim)
        assert read.dtype == np.uint8
        np.testing.assert_array_equal(read, array, strict=True)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "0 bytes"),
            (b"\x00\x00\x08", "3 bytes"),
            (b"\x01" + idx_bytes(np.ones((2, 3)))[1:], "begins 00 00.*01 00 08 02"),
            (idx_bytes(np.ones((2, 3)), dtype_code=0x0D), "0x08.*0x0d"),
            (idx_bytes(np.ones((2, 3, 1))), "expected 2 dimensions, got 3"),
            (idx_bytes(np.ones((2, 3)))[:11], "11 bytes of a 12-byte header"),
            (idx_bytes(np.ones((2, 3)))[:-1], r"truncated, expected 6 bytes for \(2, 3\), got 5"),
            (idx_bytes(np.ones((2, 3))) + b"x", "trailing bytes, expected 6 bytes .* got 7"),
            (b"\x00\x00\x08\x02" + b"\xff" * 8, "truncated, expected 18446744065119617025"),
        ],
    )
    @pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gz"])
    def test_damage_is_named(self, tmp_path, content, message, pack):
        path = tmp_path / "damaged"
        path.write_bytes(pack(content))
        with pytest.raises(ValueError, match=f"damaged: .*{message}"):
            read_idx(path, ndim=2)

    @pytest.mark.parametrize("part", ["crc", "deflate stream", "end", "tail"])
    def test_gzip_damage_is_named(self, tmp_path, part):
        zipped = bytearray(gzip.compress(idx_bytes(numbered_images(9))))
        if part == "crc":
            zipped[-8] ^= 1
        elif part == "deflate stream":
            zipped[10] |= 0b110  # the reserved block type
        zipped = zipped[:-20] if part == "end" else zipped
        zipped = zipped + b"tail" if part == "tail" else zipped
        path = tmp_path / "damaged.gz"
        path.write_bytes(zipped)
        with pytest.raises(ValueError, match=r"damaged\.gz: damaged gzip"):
            read_idx(path, ndim=3)


class TestMnist:
    @pytest.mark.parametrize("joint", "-.")
    @pytest.mark.parametrize("end", ["", ".gz"])
    @pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
    def test_loads_every_spelling(self, tmp_path, joint, end, name):
        images, labels, test_images, test_labels = write_mnist(tmp_path, joint, end)
        data = load_data(name, root=tmp_path)
        assert data.classes == (FASHION_CLASSES if name == "fashion_mnist" else (*"0123456789",))
        train, val, test = (np.rint(undo(data, s) * 255)[:, 0] for s in splits(data))
        np.testing.assert_array_equal(test, test_images)
        np.testing.assert_array_equal(data.test.labels, test_labels)
        numbers = np.concatenate([train[:, 0, 0], val[:, 0, 0]]).astype(int)
        np.testing.assert_array_equal(np.sort(numbers), np.arange(200))
        np.testing.assert_array_equal(np.concatenate([train, val]), images[numbers])
        both = np.concatenate([data.train.labels, data.val.labels])
        np.testing.assert_array_equal(both, labels[numbers])

    def test_only_the_validation_split_is_held_out(self, tmp_path):
        write_mnist(tmp_path)
        data = load_data("mnist", root=str(tmp_path), val_fraction=0.2, test_fraction=0.9)
        assert [len(s.labels) for s in splits(data)] == [160, 40, 30]
        np.testing.assert_array_equal(np.bincount(data.val.labels), 4)

    def test_a_missing_file(self, tmp_path):
        write_mnist(tmp_path)
        (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
        # damage elsewhere must not matter yet: files are looked for before any is read
        (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(b"")
        wanted = f"{tmp_path}: .*t10k-labels-idx1-ubyte, .*t10k-labels.idx1-ubyte.gz is"
        with pytest.raises(FileNotFoundError, match=f"{wanted}.*apt-get install"):
            load_data("fashion_mnist", root=tmp_path)
        with pytest.raises(FileNotFoundError, match=f"{wanted}.*https://"):
            load_data("mnist", root=tmp_path)

    @pytest.mark.parametrize(
        ("stem", "array", "message"),
        [
            ("train-labels-idx1", np.arange(199) % 10, "expected 200 labels.* got 199"),
            ("t10k-labels-idx1", np.arange(30) % 11, r"labels 0\.\.9, got 10 at index 10"),
            ("t10k-images-idx3", numbered_images(30, (4, 5)), r"\(5, 4\), got \(4, 5\)"),
            ("train-images-idx3", np.empty((0, 5, 4)), r"\(0, 5, 4\)"),
        ],
    )
    def test_files_that_disagree(self, tmp_path, stem, array, message):
        write_mnist(tmp_path, end="")
        (tmp_path / f"{stem}-ubyte").write_bytes(idx_bytes(array))
        with pytest.raises(ValueError, match=f"{stem}-ubyte: .*{message}"):
            load_data("mnist", root=tmp_path)

    @pytest.mark.skipif(
        not DEBIAN_FASHION_MNIST.is_dir(), reason="Debian package dataset-fashion-mnist is absent"
    )
    def test_the_real_fashion_mnist(self):
        tracemalloc.start()
        data = load_data("fashion_mnist")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert [s.images.shape for s in splits(data)] == [
            (51000, 1, 28, 28),
            (9000, 1, 28, 28),
            (10000, 1, 28, 28),
        ]
        assert [set(np.bincount(s.labels)) for s in splits(data)] == [{5100}, {900}, {1000}]
        assert data.mean == pytest.approx(0.286, abs=1e-3)
        assert data.std == pytest.approx(0.353, abs=1e-3)
        assert data.classes[data.test.labels[0]] == "Ankle boot"
        assert peak < 2 * 70_000 * 28 * 28 * 8


def test_a_constant_channel_is_only_centred(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        for i in range(10):
            Image.new("RGB", (3, 3), (i, 77, 0)).save(tmp_path / name / f"{i}.png")
    data = load_data("folder", root=tmp_path)
    np.testing.assert_array_equal(data.std[1:], 1)
    np.testing.assert_array_equal(data.train.images[:, 1:], 0)
    assert data.train.images[:, 0].std() == pytest.approx(1, abs=1e-5)


class TestFolder:
    def test_one_folder_is_split_by_class(self, tmp_path):
        write_images(tmp_path, {"zebra": 20, "ant": 40})
        data = load_data("folder", root=tmp_path, val_fraction=0.2, test_fraction=0.1)
        assert data.classes == ("ant", "zebra")
        assert [np.bincount(s.labels).tolist() for s in splits(data)] == [[28, 14], [8, 4], [4, 2]]
        pixels = np.concatenate([np.rint(undo(data, s) * 255) for s in splits(data)])
        labels = np.concatenate([s.labels for s in splits(data)])
        ours = {
            (image.astype(np.uint8).tobytes(), label)
            for image, label in zip(pixels, labels, strict=True)
        }
        theirs = {
            (np.asarray(Image.open(path)).tobytes(), data.classes.index(path.parent.name))
            for path in tmp_path.glob("*/*.png")
        }
        assert len(theirs) == 60
        assert ours == theirs

    @pytest.mark.parametrize("given_parts", [PARTS[:1], PARTS[:2], PARTS[::2], PARTS])
    def test_missing_parts_are_held_out_of_train(self, tmp_path, given_parts):
        counts = dict(zip(PARTS, (20, 3, 2), strict=True))
        for seed, part in enumerate(given_parts):
            write_images(tmp_path / part, {"a": counts[part], "b": counts[part]}, seed=seed)
        data = load_data("folder", root=tmp_path, val_fraction=0.2, test_fraction=0.1)
        held = {"val": 8, "test": 4}
        expected = {p: 2 * counts[p] if p in given_parts else held[p] for p in held}
        missing = [p for p in held if p not in given_parts]
        assert len(data.val.labels) == expected["val"]
        assert len(data.test.labels) == expected["test"]
        assert len(data.train.labels) == 40 - sum(held[p] for p in missing)

    @pytest.mark.parametrize("ending", ["png", "jpg", "jpeg", "bmp", "gif", "webp", "PNG"])
    def test_every_ending(self, tmp_path, ending):
        write_images(tmp_path, {"a": 8, "b": 8}, mode="RGB", ending=ending)
        assert load_data("folder", root=tmp_path).train.images.shape == (10, 3, 6, 4)

    def test_other_and_hidden_files_are_ignored(self, tmp_path):
        write_images(tmp_path, {"a": 10, "b": 10, ".cache": 1})
        (tmp_path / "a" / "notes.txt").write_text("no image")
        (tmp_path / "a" / "._000.png").write_text("no image")
        (tmp_path / "list.csv").write_text("no image")
        data = load_data("folder", root=tmp_path)
        assert data.classes == ("a", "b")
        assert sum(len(s.labels) for s in splits(data)) == 20

    def test_one_colour_image_makes_all_rgb(self, tmp_path):
        write_images(tmp_path, {"a": 10, "b": 10})
        assert load_data("folder", root=tmp_path).mean.shape == (1,)
        Image.new("RGB", (4, 6), (255, 0, 0)).save(tmp_path / "a" / "red.png")
        data = load_data("folder", root=tmp_path)
        assert data.mean.shape == (3,)
        images = np.rint(255 * np.concatenate([undo(data, s) for s in splits(data)]))
        is_gray = (images == images[:, :1]).all(axis=(1, 2, 3))
        assert is_gray.sum() == 20
        np.testing.assert_array_equal(images[~is_gray][0, :, 0, 0], [255, 0, 0])

    def test_gray_modes_share_one_scale(self, tmp_path):
        deep = Image.fromarray(np.full((2, 2), 32768, np.uint16))
        modes = {"1": Image.new("1", (2, 2), 1), "L": Image.new("L", (2, 2), 51), "I;16": deep}
        for name, image in modes.items():
            assert image.mode == name
            (tmp_path / name[0]).mkdir()
            for i in range(10):
                image.save(tmp_path / name[0] / f"{i}.png")
        data = load_data("folder", root=tmp_path)
        levels = dict(zip(data.classes, (1, 32768 / 65535, 51 / 255), strict=True))
        assert data.classes == ("1", "I", "L")
        for image, label in zip(undo(data, data.train), data.train.labels, strict=True):
            np.testing.assert_allclose(image, levels[data.classes[label]], atol=1e-6)

    def test_resizing_is_height_by_width_and_stays_in_range(self, tmp_path):
        write_images(tmp_path, {"a": 10}, mode="RGB", size=(9, 7))
        write_images(tmp_path, {"b": 10}, mode="RGB", size=(3, 20))
        top_white = np.zeros((10, 10, 3), np.uint8)
        top_white[:5] = 255
        Image.fromarray(top_white).save(tmp_path / "b" / "top.png")
        data = load_data("folder", root=tmp_path, image_size=(4, 6))
        images = np.concatenate([undo(data, s) for s in splits(data)])
        assert images.shape == (21, 3, 4, 6)
        assert images.min() > -1e-6
        assert images.max() < 1 + 1e-6
        tops = (images[:, :, 0] > 0.99).all(axis=(1, 2)) & (images[:, :, -1] < 0.01).all((1, 2))
        assert tops.sum() == 1

    def test_different_sizes_are_named(self, tmp_path):
        write_images(tmp_path, {"a": 10, "b": 10})
        Image.new("L", (5, 6)).save(tmp_path / "b" / "003.png")
        Image.new("L", (9, 9)).save(tmp_path / "b" / "007.png")
        with pytest.raises(ValueError, match=r"b/003\.png: 6x5 .*a/000\.png is 6x4; .*image_size"):
            load_data("folder", root=tmp_path)

    @pytest.mark.parametrize("content", [b"", b"no image", "truncated"])
    def test_an_unreadable_file_is_named(self, tmp_path, content):
        write_images(tmp_path, {"a": 10, "b": 10}, size=(40, 40))
        path = tmp_path / "b" / "004.png"
        path.write_bytes(path.read_bytes()[:300] if content == "truncated" else content)
        with pytest.raises(ValueError, match=r"b/004\.png: Pillow cannot read"):
            load_data("folder", root=tmp_path)

    def test_a_small_class_is_named_before_images_are_decoded(self, tmp_path):
        write_images(tmp_path, {"common": 30, "rare": 3}, size=(40, 40))
        path = tmp_path / "common" / "005.png"
        path.write_bytes(path.read_bytes()[:300])
        with pytest.raises(ValueError, match=r"class 'rare': 3 images .* test split"):
            load_data("folder", root=tmp_path)

    @given(
        counts=st.lists(st.integers(1, 12), min_size=2, max_size=4),
        fractions=st.tuples(st.floats(0.05, 0.6), st.floats(0.05, 0.39)),
    )
    def test_a_split_has_every_class_or_is_refused(self, tmp_path_factory, counts, fractions):
        root = tmp_path_factory.mktemp("classes")
        write_images(root, dict(zip("abcd"[: len(counts)], counts, strict=True)), size=(1, 1))
        try:
            data = load_data("folder", root, *fractions)
        except ValueError as error:
            assert min(counts) * min(*fractions, 1 - sum(fractions)) < 2, "refused a large class"
            assert "too few" in str(error)
        else:
            for split in splits(data):
                assert np.bincount(split.labels, minlength=len(counts)).min() >= 1

    def test_bad_layouts(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="nowhere"):
            load_data("folder", root=tmp_path / "nowhere")
        write_images(tmp_path, {"only": 10})
        with pytest.raises(ValueError, match=r"at least two classes.*'only'"):
            load_data("folder", root=tmp_path)
        (tmp_path / "void").mkdir()
        with pytest.raises(ValueError, match="void: class without images"):
            load_data("folder", root=tmp_path)

    def test_bad_layouts_with_a_train_folder(self, tmp_path):
        write_images(tmp_path / "train", {"a": 10, "b": 10})
        write_images(tmp_path / "test", {"a": 1, "c": 1})
        with pytest.raises(ValueError, match=r"test/c: .*\['a', 'b'\]"):
            load_data("folder", root=tmp_path)
        (tmp_path / "test" / "c").rename(tmp_path / "test" / "b")
        load_data("folder", root=tmp_path)
        (tmp_path / "valid").mkdir()
        with pytest.raises(ValueError, match=r"valid: .*only 'val' and 'test'"):
            load_data("folder", root=tmp_path)


def numbered_split(count, channels=1):
    """Images filled with their number, which is also their label."""
    images = np.arange(count, dtype=np.float32)[:, None, None, None]
    return Split(np.broadcast_to(images, (count, channels, 5, 4)).copy(), np.arange(count))


def random_images(count=256, channels=2, size=(5, 4)):
    return np.random.default_rng(3).normal(size=(count, channels, *size)).astype(np.float32)


def shifted_by_loop(image, down, right, fill):
    """One image (C, H, W) moved pixel by pixel."""
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
