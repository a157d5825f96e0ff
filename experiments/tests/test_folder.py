"""Folders of images."""

import numpy as np
import pytest
from data_files import PARTS, splits, undo, write_images
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from experiments.data import load_data, standardise


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
        deep, eight = np.float32([32768, 65535]), np.float32([51, 255])
        levels = dict(zip(data.classes, (1, deep[0] / deep[1], eight[0] / eight[1]), strict=True))
        assert data.classes == ("1", "I", "L")
        for image, label in zip(data.train.images, data.train.labels, strict=True):
            level = np.full((1, 1, 1, 1), levels[data.classes[label]], np.float32)
            (level,) = standardise(level, data.mean, data.std)
            np.testing.assert_array_equal(image, np.broadcast_to(level, image.shape))

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
        with pytest.raises(ValueError, match=r"test/c: .* a, b$"):
            load_data("folder", root=tmp_path)
        (tmp_path / "test" / "c").rename(tmp_path / "test" / "b")
        load_data("folder", root=tmp_path)
        (tmp_path / "valid").mkdir()
        with pytest.raises(ValueError, match=r"valid: .*only 'val' and 'test'"):
            load_data("folder", root=tmp_path)
