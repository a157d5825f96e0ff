"""MNIST-like files: they are read right, and every kind of damage is named in an error."""

import gzip
import tracemalloc

import numpy as np
import pytest
from data_files import idx_bytes, numbered_images, splits, undo, write_mnist
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from experiments.data import load_data
from experiments.data.idx import DEBIAN_FASHION_MNIST, FASHION_CLASSES, read_idx


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
            (idx_bytes(np.ones((2, 3))) + b"x", "trailing bytes, expected 6 bytes .* got more"),
            (
                b"\x00\x00\x08\x02" + b"\xff" * 8,
                "18446744065119617025 bytes, expected at most 1073741824",
            ),
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
        # damage elsewhere must not matter yet: all files are searched for before any is read
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
