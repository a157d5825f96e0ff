"""What cannot be saved or loaded is named, and a write that fails leaves nothing."""

import inspect
import os
import sys

import pytest

from .both import TWINS
from .small_models import ABOUT, FILES, assert_same_state, saved, small


@pytest.fixture
def folder(tmp_path):
    return saved(tmp_path / "model")


@TWINS
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
@pytest.mark.parametrize("step", ["rename", "fsync", "mkdir"])
def test_an_interrupted_write_leaves_nothing(twin, error, step, tmp_path, monkeypatch):
    model = small(twin)

    def stop(*_, **__):
        raise error

    monkeypatch.setattr(os, step, stop)
    with pytest.raises(error):
        model.save_pretrained(tmp_path / "model")
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


@TWINS
def test_the_folder_has_its_name_only_when_it_is_whole(twin, tmp_path, monkeypatch):
    """At the rename both files are complete and flushed; the last flush is of the folder above."""
    model, rename, fsync, log = small(twin), os.rename, os.fsync, []
    monkeypatch.setattr(
        os, "fsync", lambda fd: (log.append(os.readlink(f"/proc/self/fd/{fd}")), fsync(fd))
    )

    def renamed(source, target):
        assert sorted(os.listdir(source)) == FILES
        assert {str(source), *(os.path.join(source, name) for name in FILES)} == set(log)
        rename(source, target)
        log.clear()

    monkeypatch.setattr(os, "rename", renamed)
    model.save_pretrained(tmp_path / "model")
    assert log == [str(tmp_path)]
    assert_same_state(model, twin.from_pretrained(tmp_path / "model"))


@TWINS
def test_a_folder_that_is_taken_is_left_alone(twin, folder, tmp_path):
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(FileExistsError, match=rf"{folder} exists, expected a new or an empty folder"):
        small(twin).save_pretrained(folder)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    with pytest.raises(FileExistsError, match="a new or an empty folder"):
        small(twin).save_pretrained(folder / "config.json")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    small(twin).save_pretrained(str(tmp_path / "link"))
    small(twin).save_pretrained(tmp_path / "new" / "deep")
    for name in ("empty", "link", "new/deep"):
        assert_same_state(small(twin), twin.from_pretrained(tmp_path / name))
    with pytest.raises(TypeError, match="folder is 3, expected a path"):
        small(twin).save_pretrained(3)


@TWINS
def test_a_model_that_was_changed_is_not_saved(twin, tmp_path):
    """Its arguments would not make it again."""
    model = small(twin)
    model.head = small(twin, num_classes=5).head
    with pytest.raises(
        ValueError, match=r"head\.weight has shape \(5, 8\) in the state, expected \(3, 8\)"
    ):
        model.save_pretrained(tmp_path / "model")
    model.head = None
    with pytest.raises(ValueError, match=r"missing \['head\.bias', 'head\.weight'\]"):
        model.save_pretrained(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


@TWINS
@pytest.mark.parametrize("call", ["save", "load"])
def test_a_missing_package_is_named(twin, call, folder, tmp_path, monkeypatch):
    for name in ("safetensors", "safetensors.numpy", "safetensors.torch"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match="pip install safetensors"):
        if call == "save":
            small(twin).save_pretrained(tmp_path / "other")
        else:
            twin.from_pretrained(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@TWINS
@pytest.mark.parametrize(
    ("about", "classes", "error", "message"),
    [
        (3, None, TypeError, "preprocessing is 3, expected mean"),
        ({"mean": [0.5], "std": [-1.0]}, None, ValueError, "preprocessing.std is -1.0"),
        (
            ABOUT | {"in_chans": 2.0},
            None,
            TypeError,
            "preprocessing.in_chans is 2.0, expected an integer",
        ),
        (None, ["a"], ValueError, "classes has 1 names, the model has 3"),
        (None, 3, TypeError, "classes is 3, expected the names"),
        (None, ["a", "b", 3], TypeError, "expected texts"),
    ],
    ids=str,
)
def test_what_cannot_be_saved_is_named(twin, about, classes, error, message, tmp_path):
    with pytest.raises(error, match=message):
        small(twin).save_pretrained(tmp_path / "model", about, classes)
    assert list(tmp_path.iterdir()) == []


@TWINS
def test_a_wrong_argument_has_pythons_own_message(twin):
    with pytest.raises(TypeError, match=r"__init__\(\) got an unexpected keyword argument 'colour'"):
        twin.VisionTransformer(colour=1)
    assert str(inspect.signature(twin.VisionTransformer)).startswith("(img_size: int | ")
