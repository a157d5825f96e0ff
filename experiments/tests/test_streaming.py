"""A folder whose images are read while they are used gives the bits of one that is kept in memory."""

import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from data_files import splits, write_images
from readers import Suicidal

from experiments.data import load_data, loader, moments, streamed
from experiments.data.batches import batches
from experiments.data.folder import decode
from experiments.data.loader import AHEAD, Loader
from experiments.data.pixels import UnreadableImageError, View
from experiments.data.streamed import Reader
from experiments.distributed.evaluation import evaluated
from numpy_ref import Trainer, VisionTransformer
from parity_tests import budget
from parity_tests.process import LONG

SIZE = (8, 6)
GIVEN = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Write 40 JPEG images of two sizes in two classes."""
    folder = tmp_path_factory.mktemp("streamed")
    write_images(folder, {"a": 20}, mode="RGB", size=(12, 9), ending="jpg")
    write_images(folder, {"b": 20}, mode="RGB", size=(9, 14), ending="jpg")
    return folder


@pytest.fixture(scope="module")
def workers(root):
    """The images, streamed by two processes that all tests of this file use."""
    return load(root, True, workers=2)


def load(root, streaming, **options):
    return load_data("folder", root, image_size=SIZE, streaming=streaming, **{**GIVEN, **options})


def epoch(data, batch_size=7, number=1, **options):
    options = {"max_shift": 2, "flip": True, "fill": data.black} | options
    return list(batches(data.train, batch_size, seed=3, epoch=number, **options))


def assert_same_batches(one, other):
    for a, b in zip(one, other, strict=True):
        for x, y in zip(a, b, strict=True):
            assert x.dtype == y.dtype
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("options", [{}, {"max_shift": 0}, {"flip": False}], ids=str)
@pytest.mark.parametrize("number", [1, 2])
def test_batches_are_those_of_the_images_in_memory(root, workers, number, options):
    whole = epoch(load(root, False), number=number, **options)
    assert len(whole) == 4
    assert_same_batches(epoch(load(root, True), number=number, **options), whole)
    assert_same_batches(epoch(workers, number=number, **options), whole)


@pytest.mark.parametrize("look", [{"crop_pct": 0.8}, {"interpolation": "bicubic"}], ids=str)
def test_every_part_is_that_in_memory_in_its_order(root, look, monkeypatch):
    monkeypatch.setattr(streamed, "CHUNK", 4)
    kept, read = load(root, False, **look), load(root, True, **look)
    for whole, part in zip(splits(kept), splits(read), strict=True):
        images, labels = (np.concatenate(each) for each in zip(*part.chunks(), strict=True))
        np.testing.assert_array_equal(images, whole.images)
        np.testing.assert_array_equal(labels, whole.labels)
        np.testing.assert_array_equal(part.labels, whole.labels)
        np.testing.assert_array_equal(part.at(np.array([3, 0])), whole.images[[3, 0]])
        some = whole.part(slice(1, 4)), part.part(slice(1, 4))
        assert_same_batches(*(list(split.chunks()) for split in some))
        np.testing.assert_array_equal(some[1].labels, whole.labels[1:4])


def test_a_streamed_split_is_evaluated_piece_by_piece(root, monkeypatch):
    sizes = {"img_size": SIZE, "patch_size": 2, "in_chans": 3, "num_classes": 2}
    sizes |= {"embed_dim": 8, "depth": 1, "num_heads": 2, "dtype": "float64"}
    model = VisionTransformer(**sizes, generator=np.random.default_rng(0))
    trainer = Trainer(model, 1e-3, 10)
    kept = evaluated(trainer, load(root, False).train)
    monkeypatch.setattr(streamed, "CHUNK", 10)  # 28 images: 10, 10 and 8
    found = evaluated(trainer, load(root, True).train)
    np.testing.assert_array_equal(found.predicted, kept.predicted)
    assert found.correct == kept.correct
    assert budget.float64("loss", kept.loss, found.loss).ok


class TestMoments:
    def test_are_those_of_all_images_if_there_are_few(self, root):
        kept, read = (load(root, s, mean=None, std=None).summary for s in (False, True))
        kept.check_same(replace(read, digest=None))

    def test_are_of_a_sample_that_depends_on_the_seed(self, root, monkeypatch):
        monkeypatch.setattr(moments, "SAMPLE", 5)
        names = load(root, True).train.names
        view_of = partial(View, size=SIZE)
        found = [moments.of_files(root, names, view_of, seed)[1][0] for seed in (0, 0, 1)]
        np.testing.assert_array_equal(found[0], found[1])
        assert (found[0] != found[2]).all()
        chosen = names[np.sort(np.random.default_rng(0).choice(28, 5, replace=False))]
        images = decode(root, View(3, SIZE), chosen)
        np.testing.assert_array_equal(found[0], images.mean((0, 2, 3), dtype=float).astype(np.float32))

    def test_gray_images_have_one_channel_unless_three_are_given(self, tmp_path):
        write_images(tmp_path, {"x": 8, "y": 8}, mode="L")
        for streaming in (False, True):
            assert load(tmp_path, streaming, mean=None, std=None).train.image_shape == (1, *SIZE)
            data = load(tmp_path, streaming)
            assert data.train.image_shape == (3, *SIZE)
            np.testing.assert_array_equal(data.mean, np.float32(GIVEN["mean"]))

    @pytest.mark.parametrize(
        "given",
        [
            {"mean": None},
            {"std": None},
            {"mean": [0.5], "std": [0.1, 0.1]},
            {"mean": [0.5] * 2, "std": [0.1] * 2},
            {"mean": [0.5], "std": [0.0]},
            {"mean": [np.nan], "std": [0.1]},
        ],
        ids=str,
    )
    def test_bad_ones_are_refused(self, root, given):
        with pytest.raises(ValueError, match="mean, std: expected"):
            load(root, True, **given)


class TestMemory:
    def test_a_worker_holds_nothing_that_grows_with_the_images(self, root, tmp_path):
        write_images(tmp_path, {"a": 200, "b": 200}, mode="RGB", size=(1, 1))
        few, many = (len(pickle.dumps(load(r, True).train.loader.reader)) for r in (root, tmp_path))
        assert many - few == len(os.fspath(tmp_path)) - len(os.fspath(root))

    def test_a_name_takes_its_bytes_and_no_more(self, root):
        names = np.concatenate([load(root, True).train.names, load(root, True).val.names])
        assert names.nbytes == len(names) * len("a/000.jpg")

    def test_few_batches_are_read_ahead(self, workers):
        reader, drawn = workers.train.loader, []

        def tasks():
            for row in range(30):
                drawn.append(row)
                yield streamed.Task(workers.train.names[:1], workers.train.labels[:1])

        for taken, _ in enumerate(reader.read(tasks()), start=1):
            assert taken <= len(drawn) <= taken + AHEAD * reader.workers
        assert len(drawn) == taken == 30

    def test_auto_streams_what_would_not_fit(self, root, monkeypatch):
        assert load(root, "auto").digest is None
        monkeypatch.setattr("experiments.data.IN_MEMORY", 40 * 3 * 8 * 6 * 4)
        assert load(root, "auto").digest is None
        monkeypatch.setattr("experiments.data.IN_MEMORY", 40 * 3 * 8 * 6 * 4 - 1)
        assert load(root, "auto").digest is not None


class TestDamage:
    @pytest.mark.parametrize("content", [b"", b"no image", "truncated", None])
    @pytest.mark.parametrize("processes", [0, 2])
    def test_an_unreadable_image_is_named_and_others_are_read(self, root, workers, processes, content):
        """The processes live on; `content` None: the file is gone."""
        data = workers if processes else load(root, True)
        names = data.train.names
        path = root / os.fsdecode(names[5])
        whole = path.read_bytes()
        try:
            if content is None:
                path.unlink()
            else:
                path.write_bytes(whole[:300] if content == "truncated" else content)
            with pytest.raises(UnreadableImageError, match=f"{path.name}: Pillow cannot read"):
                epoch(data)
        finally:
            path.write_bytes(whole)
        assert_same_batches(epoch(data), epoch(load(root, False)))

    def test_an_epoch_that_was_left_does_not_disturb_the_next(self, root, workers):
        next(batches(workers.train, 2, seed=0, epoch=9))
        assert_same_batches(epoch(workers), epoch(load(root, False)))

    def test_an_epoch_does_not_go_on_after_another_reading_has_begun(self, workers):
        """It would be given the other's batches."""
        reading = batches(workers.train, 2, seed=0, epoch=9)
        next(reading)
        next(workers.val.chunks())
        with pytest.raises(RuntimeError, match="another reading has begun"):
            next(reading)

    def test_a_killed_worker_is_no_hang(self):
        reading = Loader(Suicidal(), workers=1).read([0, 1, 2])
        with pytest.raises(OSError, match="a process that reads images has ended"):
            list(reading)

    def test_workers_end_with_a_process_that_was_killed(self, root):
        code = "import multiprocessing, sys, time\n"
        code += f"sys.path.append({str(Path(__file__).parent)!r})\n"
        code += "from experiments.data.loader import Loader\nfrom readers import Patient\n"
        code += "reading = Loader(Patient(), workers=2).read(range(9))\n"
        code += "next(reading)\n"
        code += "print(*[child.pid for child in multiprocessing.active_children()], flush=True)\n"
        code += "time.sleep(1000)\n"
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        workers = [int(pid) for pid in process.stdout.readline().split()]
        assert len(workers) == 2
        assert all(map(is_alive, workers))
        process.kill()
        process.communicate()
        try:
            deadline = time.monotonic() + LONG
            while any(map(is_alive, workers)):  # PyTorch's own check would leave them for ever
                assert time.monotonic() < deadline
                time.sleep(0.1)
        finally:
            for pid in filter(is_alive, workers):
                os.kill(pid, signal.SIGKILL)


def is_alive(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


class TestDigest:
    def test_notices_names_and_sizes(self, tmp_path):
        write_images(tmp_path, {"a": 10, "b": 10}, mode="RGB", size=SIZE)
        before = load(tmp_path, True).summary
        path = tmp_path / "a" / "003.png"
        os.utime(path, (0, 0))  # a copy elsewhere has other times
        before.check_same(load(tmp_path, True).summary)
        content = path.read_bytes()
        path.write_bytes(content + b"\0")
        with pytest.raises(ValueError, match="digest was"):
            before.check_same(load(tmp_path, True).summary)
        path.write_bytes(content)
        before.check_same(load(tmp_path, True).summary)
        path.rename(path.with_name("0031.png"))
        with pytest.raises(ValueError, match="digest was"):
            before.check_same(load(tmp_path, True).summary)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": None}, "image_size: needed with streaming"),
        ({"name": "digits", "root": None}, "only for a folder's images, not for digits"),
        ({"crop_pct": 0.0}, r"crop_pct: expected a number in \(0, 1\], got 0.0"),
        ({"crop_pct": 1.1}, r"crop_pct: expected a number in \(0, 1\], got 1.1"),
        ({"interpolation": "nearest"}, "interpolation: expected one of bilinear, bicubic"),
        ({"crop_pct": 0.9, "image_size": None, "streaming": False}, "image_size: needed"),
    ],
)
def test_bad_arguments_are_named(root, options, message):
    given = {"name": "folder", "root": root, "image_size": SIZE, "streaming": True} | options
    with pytest.raises(ValueError, match=message):
        load_data(**given)


def test_without_pytorch_the_images_are_read_here(root, monkeypatch):
    monkeypatch.setattr(loader, "_has_torch", lambda: False)
    data = load(root, True, workers=2)
    assert_same_batches(epoch(data), epoch(load(root, False)))
    assert data.train.loader._processes is None


def test_a_worker_imports_no_twin_and_no_compiler():
    heavy = {"numba", "numpy_ref", "torch_impl", "sklearn", "matplotlib", "torchvision"}
    code = f"import sys, {Reader.__module__}, experiments.train; print({heavy} & {{*sys.modules}})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
