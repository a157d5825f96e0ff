"""A run can be used without the data it was trained on."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from data_files import undo, write_images
from small_runs import BACKENDS, SMALL, in_float64, refused

from experiments import runs
from experiments.build import TWINS
from experiments.data import load_data
from experiments.evaluate import main as evaluate
from experiments.inference import load_model, read
from experiments.predict import main as predict
from experiments.train import main
from experiments.visualize import main as visualize
from parity_tests import budget

CLASSES = ("ant", "bee", "fly")
PAGE = Path(__file__).parents[2] / "docs" / "training.md"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Train a run on a folder of images, then move the images; return (run, images)."""
    base = tmp_path_factory.mktemp("insects")
    counts = dict.fromkeys(CLASSES, 30)
    write_images(base / "images", counts, mode="RGB", size=(8, 8))
    options = [
        "--data.name=folder",
        f"--data.root={base / 'images'}",
        "--run",
        str(base / "run"),
        *SMALL,
    ]
    assert main(options) == 0
    (base / "images").rename(base / "elsewhere")
    return base / "run", base / "elsewhere"


@pytest.mark.parametrize("backend", [None, *BACKENDS])
def test_new_images_are_classified(trained, backend):
    folder, images = trained
    model = load_model(folder, backend)
    assert model.classes == list(CLASSES)
    assert type(model).__module__ == f"{TWINS[backend or 'numpy']}.vit"
    paths = sorted(images.glob("*/*.png"))
    names, probabilities = model.classify(read(paths, model))
    assert probabilities.shape == (90, 3)
    assert set(names) <= {*CLASSES}
    assert budget.float64("sum", np.ones(90), probabilities.sum(1)).ok
    run, data = runs.open_run(folder), load_data("folder", root=images)
    pixels = (undo(data, data.test) * 255).round().astype(np.uint8)  # exactly those of the files
    found = in_float64(model).classify(pixels.transpose(0, 2, 3, 1)).probabilities
    logits = logits_of(in_float64(runs.load(run, backend).model), data.test.images)
    assert budget.float64("probabilities", softmax(logits), found).ok


def test_the_block_of_the_page_runs(trained, tmp_path, monkeypatch, capsys):
    """The one Python block of docs/training.md, on two images."""
    folder, images = trained
    for name, path in zip(("a.png", "b.png"), sorted(images.glob("fly/*.png")), strict=False):
        shutil.copy(path, tmp_path / name)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(code.replace("runs/NAME", str(folder)), namespace := {})
    assert namespace["images"].shape == (2, 8, 8, 3)
    assert namespace["probabilities"].shape == (2, 3)
    best = [CLASSES[n] for n in namespace["probabilities"].argmax(-1)]
    assert capsys.readouterr().out.strip() == str(best)


def logits_of(model, images):
    images = images.astype(np.float64)
    if not isinstance(model, torch.nn.Module):
        return model(images)
    with torch.no_grad():
        return model(torch.from_numpy(images)).numpy()


def softmax(logits):
    powers = np.exp(logits)
    return powers / powers.sum(-1, keepdims=True)


def test_predict_prints_a_line_for_each_image(trained, capsys):
    folder, images = trained
    paths = sorted(map(str, images.glob("*/00*.png")))
    assert predict([str(folder), *paths]) == 0
    model = load_model(folder)
    names, probabilities = model.classify(read(paths, model))
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == paths
    assert [line[1] for line in lines] == names
    assert [line[2] for line in lines] == [f"{row.max():.4f}" for row in probabilities]


def test_predict_names_a_file_that_is_none(trained, tmp_path, capsys):
    assert "no.png: no such image file" in refused(capsys, predict, [str(trained[0]), "no.png"])
    (tmp_path / "text.png").write_text("no image")
    line = refused(capsys, predict, [str(trained[0]), str(tmp_path / "text.png")])
    assert "text.png: Pillow cannot read" in line


def test_evaluate_takes_other_images(trained, capsys, tmp_path):
    """The accuracy on a folder equals one computed by hand; the folder may lack some classes."""
    folder, images = trained
    line = refused(capsys, evaluate, [str(folder)])
    assert "--root takes a folder of other images" in line
    model = load_model(folder)
    paths = sorted(images.glob("*/*.png"))
    names = model.classify(read(paths, model)).names
    right = [name == path.parent.name for name, path in zip(names, paths, strict=True)]
    assert evaluate([str(folder), "--root", str(images)]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"given_accuracy={np.mean(right):.4f} run={folder}"
    assert (folder / "evaluation_given.json").is_file()
    shutil.copytree(images / "fly", tmp_path / "some" / "fly")
    assert evaluate([str(folder), "--root", str(tmp_path / "some")]) == 0
    printed = capsys.readouterr().out
    assert f"given_accuracy={np.mean(right[60:]):.4f}" in printed
    assert "no images of ant, bee\n" in printed
    assert not any(line.startswith("  ant") for line in printed.splitlines())
    (tmp_path / "some" / "moth").mkdir()
    line = refused(capsys, evaluate, [str(folder), "--root", str(tmp_path / "some")])
    assert "moth: expected only the training classes" in line
    assert "nowhere" in refused(capsys, evaluate, [str(folder), "--root", str(tmp_path / "nowhere")])


def test_pictures_that_need_no_images_are_drawn(trained, capsys):
    folder, _ = trained
    assert visualize([str(folder)]) == 0
    printed = capsys.readouterr()
    assert printed.err.startswith("without confusion and attention: ")
    drawn = {path.name for path in (folder / "pictures").iterdir()}
    assert drawn == {"curves.png", "one_query.png", "bias_blocks_0.png", "bias_blocks_1.png"}


def test_data_that_has_moved_is_resumed_from_there(trained, capsys):
    folder, images = trained
    assert "images" in refused(capsys, main, ["--resume", str(folder)])
    before = (folder / "last.safetensors").read_bytes()
    assert main(["--resume", str(folder), "--data.root", str(images)]) == 0
    assert (folder / "last.safetensors").read_bytes() == before


def test_data_that_has_changed_is_not_taken_for_the_runs(trained, tmp_path, capsys):
    folder, images = trained
    for change, named in (
        (lambda root: (root / "fly").rename(root / "gnat"), "classes was"),
        (lambda root: shutil.copy(root / "fly" / "000.png", root / "fly" / "100.png"), "counts was"),
        (
            lambda root: [shutil.copy(images / "ant/000.png", f) for f in root.glob("*/00*.png")],
            "mean was",
        ),
    ):
        root = shutil.copytree(images, tmp_path / named.split()[0])
        change(root)
        line = refused(capsys, main, ["--resume", str(folder), "--data.root", str(root)])
        assert f"the data is not that of the run: {named}" in line


def test_a_relative_root_is_found_from_anywhere(trained, tmp_path, monkeypatch):
    _, images = trained
    monkeypatch.chdir(images.parent)
    options = ["--data.name=folder", f"--data.root={images.name}", *SMALL, "--training.epochs=1"]
    assert main([*options, "--run", str(tmp_path / "run")]) == 0
    monkeypatch.chdir(tmp_path)
    assert evaluate(["run"]) == 0
