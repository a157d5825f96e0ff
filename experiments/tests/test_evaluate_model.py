"""`experiments.evaluate` on the folder of a model: an exported run, or a converted checkpoint."""

import io
import json
import shutil
import sys

import numpy as np
import pytest
from checkpoints import finite
from PIL import Image
from small_runs import BACKENDS, refused

import numpy_ref
from experiments.convert import convert
from experiments.convert.packing import pack
from experiments.evaluate import main as evaluate
from experiments.export import main as export
from experiments.inference import load_model, read
from experiments.predict import main as predict

NAMES = ["ant", "bee", "cat", "dog", "eel"]
CONFIG = {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.25], "crop_pct": 0.7, "interpolation": "bicubic"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Return the folder of a small Swin, converted from one of timm."""
    source = tmp_path_factory.mktemp("of_timm")
    (source / "model.safetensors").write_bytes(pack(finite("swin", "timm")))
    pretrained = CONFIG | {"input_size": [3, 16, 16]}
    (source / "config.json").write_text(json.dumps({"pretrained_cfg": pretrained, "label_names": NAMES}))
    convert(source, source.parent / "model", "here")
    return source.parent / "model"


@pytest.fixture
def root(tmp_path):
    """Return a folder of 3 images of each class, larger than the model's and not square."""
    generator = np.random.default_rng(0)
    for name in NAMES:
        (tmp_path / "images" / name).mkdir(parents=True)
        for n in range(3):
            image = Image.fromarray(generator.integers(0, 256, (40, 50, 3), np.uint8))
            image.save(tmp_path / "images" / name / f"{n}.png")
    return tmp_path / "images"


def changed(model, folder, **members):
    """Write the model with other members to a new folder, and return that."""
    other = numpy_ref.from_pretrained(model)
    for name, value in members.items():
        setattr(other, name, value)
    other.save_pretrained(folder)
    return folder


def result_of(folder):
    return json.loads((folder / "evaluation_given.json").read_text())


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_result_is_that_of_classify(model, root, backend, capsys):
    """Of images cropped and resized as the model's folder says."""
    assert evaluate([str(model), "--root", str(root), "--backend", backend]) == 0
    paths, twin = sorted(root.glob("*/*.png")), load_model(model, backend)
    names = twin.classify(read(paths, twin)).names
    labels = np.repeat(np.arange(5), 3)
    found = result_of(model)
    assert np.array(found["confusion"]).sum(1).tolist() == [3] * 5
    predicted = [NAMES.index(name) for name in names]
    assert np.array(found["confusion"])[labels[4], predicted[4]] > 0
    assert found["accuracy"] == np.mean(predicted == labels)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"given_accuracy={found['accuracy']:.4f} run={model}"


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_exported_run_has_the_result_of_the_run(finished, backend, tmp_path):
    assert export([str(finished[backend]), str(tmp_path / "model")]) == 0
    run = shutil.copytree(finished[backend], tmp_path / "run")
    for digit in "0123456789":
        (tmp_path / "digits" / digit).mkdir(parents=True)
        image = np.random.default_rng(int(digit)).integers(0, 256, (11, 9), np.uint8)
        Image.fromarray(image).save(tmp_path / "digits" / digit / "one.png")
    for folder in (run, tmp_path / "model"):
        given = [str(folder), "--root", str(tmp_path / "digits"), "--backend", backend]
        assert evaluate(given) == 0
    assert result_of(run) == result_of(tmp_path / "model")


def test_subfolders_are_the_classes_in_order(model, root, capsys):
    """ImageNet's have numbers for names, and a checkpoint other ones, or none."""
    assert evaluate([str(model), "--root", str(root)]) == 0
    by_name = result_of(model)
    capsys.readouterr()
    for n, name in enumerate(NAMES):
        (root / name).rename(root / f"n0{n}")
    line = refused(capsys, evaluate, [str(model), "--root", str(root)])
    assert "expected subfolders with names of ant, bee, cat, dog, eel" in line
    assert evaluate([str(model), "--root", str(root), "--in-order"]) == 0
    assert result_of(model)["confusion"] == by_name["confusion"]
    assert list(result_of(model)["class_accuracy"]) == ["n00", "n01", "n02", "n03", "n04"]
    capsys.readouterr()
    shutil.rmtree(root / "n03")
    line = refused(capsys, evaluate, [str(model), "--root", str(root), "--in-order"])
    assert "images has 4 subfolders, the model 5 classes" in line


def test_an_order_that_is_surely_wrong_is_refused(model, root, tmp_path, capsys):
    """Sorted by name, 12 comes before 8."""
    in_order = [str(model), "--root", str(root), "--in-order"]
    for n, name in enumerate(NAMES):
        (root / name).rename(root / f"{8 + n}")
    line = refused(capsys, evaluate, in_order)
    assert "sorted by name the subfolder 12 comes before 8" in line
    for n, name in enumerate(reversed(NAMES)):
        (root / f"{8 + n}").rename(root / name)
    assert evaluate(in_order) == 0
    other = changed(model, tmp_path / "other", classes=NAMES[::-1])
    capsys.readouterr()
    line = refused(capsys, evaluate, [str(other), *in_order[1:]])
    assert "has the classes of the model by name: leave out --in-order" in line


def test_a_name_of_two_classes_does_not_say_which(model, root, tmp_path, capsys):
    """ImageNet has two classes called crane."""
    other = changed(model, tmp_path / "other", classes=["ant", "bee", "cat", "dog", "bee"])
    shutil.rmtree(root / "eel")
    given = [str(other), "--root", str(root)]
    assert "bee: classes 1 and 4 of the model are called bee" in refused(capsys, evaluate, given)
    shutil.rmtree(root / "bee")
    assert evaluate(given) == 0
    assert result_of(other)["count"] == 9


def test_a_damaged_image_is_named(model, root, tmp_path, capsys):
    damaged = root / "bee" / "1.png"
    damaged.write_bytes(damaged.read_bytes()[:300])
    folder = shutil.copytree(model, tmp_path / "model", ignore=shutil.ignore_patterns("evaluation*"))
    line = refused(capsys, evaluate, [str(folder), "--root", str(root)])
    assert f"{damaged}: Pillow cannot read this image" in line
    assert not list(folder.glob("evaluation*"))


@pytest.mark.parametrize("command", [evaluate, predict])
def test_a_folder_of_another_library_is_to_be_converted(root, tmp_path, command, capsys):
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "swin_tiny", "num_classes": 5}))
    images = {evaluate: ["--root", str(root)], predict: [str(root / "bee" / "1.png")]}[command]
    line = refused(capsys, command, [str(tmp_path), *images])
    assert f"{tmp_path}/config.json is of another library" in line
    assert f"python -m experiments.convert {tmp_path} OUT --to here" in line


def test_a_bar_counts_the_images_on_a_terminal_only(model, root, monkeypatch, capsys):
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    for stderr in (io.StringIO(), terminal):
        monkeypatch.setattr(sys, "stderr", stderr)
        assert evaluate([str(model), "--root", str(root)]) == 0
        assert ("/15 [" in stderr.getvalue()) == (stderr is terminal)
        assert bool(stderr.getvalue()) == (stderr is terminal)


def test_classes_without_names_have_numbers(model, root, tmp_path, capsys):
    unnamed = changed(model, tmp_path / "unnamed", classes=None)
    line = refused(capsys, evaluate, [str(unnamed), "--root", str(root)])
    assert "expected subfolders with names of 0, 1, 2, 3, 4" in line
    (root / "ant").rename(root / "3")
    for name in NAMES[1:]:
        shutil.rmtree(root / name)
    assert evaluate([str(unnamed), "--root", str(root)]) == 0
    assert np.array(result_of(unnamed)["confusion"])[3].sum() == 3


def test_what_is_missing_is_said(model, root, finished, tmp_path, capsys):
    line = refused(capsys, evaluate, [str(model)])
    assert f"{model} is a model without data: --root takes a folder of images" in line
    line = refused(capsys, evaluate, [str(model), "--root", str(root), "--checkpoint", "last"])
    assert "is an exported model, not a run" in line
    bare = changed(model, tmp_path / "bare", preprocessing=None)
    line = refused(capsys, evaluate, [str(bare), "--root", str(root)])
    assert "preprocessing is None, expected {'mean'" in line
    line = refused(capsys, evaluate, [str(finished["numpy"]), "--in-order"])
    assert "--in-order is about the subfolders of --root" in line
    assert not list(bare.glob("evaluation*"))
