"""Runs on a streamed folder: either twin, any number of processes, interrupted, with a damaged image."""

import os
from pathlib import Path

import numpy as np
import pytest
from data_files import write_images
from small_runs import BACKENDS, SMALL, assert_same_run, interrupt, refused, rows_of

from experiments import metrics, runs
from experiments.data import labelled_split
from experiments.data.folder import path_of
from experiments.evaluate import main as evaluate
from experiments.export import main as export
from experiments.inference import load_model, read
from experiments.predict import main as predict
from experiments.train import main
from experiments.visualize import main as visualize

RECIPE = Path(__file__).parents[2] / "configs" / "imagenet_swin_t.yaml"
AUGMENTED = [
    "--data.name=folder",
    "--data.image_size=8",
    "--data.crop_pct=0.9",
    "--data.crop_scale=[0.3, 1.0]",
    "--data.rand_augment=[2, 9]",
    "--data.random_erasing=0.25",
    "--data.mixup=0.8",
    "--data.cutmix=1.0",
    "--data.flip=true",
    "--training.label_smoothing=0.1",
    "--training.epochs=3",
    "--training.batch_size=12",
]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    write_images(folder, dict.fromkeys("abc", 14), mode="RGB", size=(12, 10), ending="jpg")
    return folder


def train(root, folder, *more):
    given = [*SMALL, *AUGMENTED, f"--data.root={root}", "--data.workers=0", *more]
    return main(["--run", str(folder), *given])


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory):
    base = tmp_path_factory.mktemp("runs")
    for backend in BACKENDS:
        assert train(root, base / backend, "--backend", backend) == 0
    return {backend: base / backend for backend in BACKENDS}


def test_both_twins_see_the_same_batches(finished):
    """The log has four digits of loss and accuracy, of training and validation."""
    logs = [(finished[backend] / "log.txt").read_text() for backend in BACKENDS]
    assert logs[0] == logs[1]


def test_processes_change_no_bit(root, finished, tmp_path):
    assert train(root, tmp_path / "run", "--data.workers=2") == 0
    assert_same_run(tmp_path / "run", finished["numpy"])


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_resumed_run_ends_with_the_same_bits(root, finished, backend, tmp_path, monkeypatch):
    folder, record = tmp_path / "run", metrics.record
    with monkeypatch.context() as patch:
        patch.setattr(
            metrics, "record", lambda f, row: interrupt() if row["epoch"] == 2 else record(f, row)
        )
        assert train(root, folder, "--backend", backend) == 130
    assert main(["--resume", str(folder)]) == 0
    assert_same_run(folder, finished[backend])


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_damaged_image_ends_the_run_and_another_try_continues(root, finished, part, tmp_path, capsys):
    names = getattr(runs.dataset_of(runs.open_run(finished["numpy"])), part).names
    path, folder = path_of(root, names[0]), tmp_path / "run"
    whole = path.read_bytes()
    path.write_bytes(b"\0" * len(whole))
    try:
        given = ["--data.mean=[0.5, 0.5, 0.5]", "--data.std=[0.1, 0.1, 0.1]"]  # else it is read at once
        with pytest.raises(SystemExit, match="1"):
            train(root, folder, *given)
        printed = capsys.readouterr().err
        assert printed.count("\n") == 1
        assert f"training stopped: {path}: Pillow cannot read this image" in printed
    finally:
        path.write_bytes(whole)
    assert main(["--resume", str(folder)]) == 0


def test_other_images_are_refused(root, finished, tmp_path, capsys):
    path = root / "a" / "001.jpg"
    whole = path.read_bytes()
    try:
        path.write_bytes(whole + b"\0")
        line = refused(capsys, main, ["--resume", str(finished["numpy"])])
        assert "the data is not that of the run: digest was" in line
    finally:
        path.write_bytes(whole)


def test_the_commands_read_a_streamed_run(root, finished, capsys):
    run = str(finished["numpy"])
    assert evaluate([run, "--split", "train"]) == 0
    assert evaluate([run, "--root", str(root)]) == 0
    assert "on 42 images" in capsys.readouterr().out
    assert predict([run, str(root / "a" / "001.jpg")]) == 0
    assert visualize([run]) == 0
    assert {"attention.png", "confusion.png"} <= {*os.listdir(finished["numpy"] / "pictures")}


def test_predict_looks_at_images_as_the_training_did(root, finished, capsys):
    """The probability is that of the image as evaluation sees it, its border cut off."""
    folder, path = finished["numpy"], root / "a" / "001.jpg"
    assert predict([str(folder), str(path)]) == 0
    printed = float(capsys.readouterr().out.split("\t")[2])
    run = runs.open_run(folder)
    split = labelled_split(root, run.data, crop_pct=0.9)
    (row,) = np.flatnonzero(split.names == b"a/001.jpg")
    logits = runs.load(run).predict(split.at(np.array([row])))[0].astype(float)
    assert printed == round(float(np.exp(logits.max()) / np.exp(logits).sum()), 4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_exported_model_looks_at_images_as_the_training_did(
    root, finished, backend, tmp_path, capsys
):
    """Its folder has crop_pct, and each twin's probabilities are those of the evaluation's images."""
    run = runs.open_run(finished[backend])
    assert export([str(run.folder), str(tmp_path / "model")]) == 0
    path, other = root / "a" / "001.jpg", root / "c" / "013.jpg"
    found = {}
    for folder in (run.folder, tmp_path / "model"):
        capsys.readouterr()
        assert predict([str(folder), "--backend", backend, str(path), str(other)]) == 0
        found[folder] = capsys.readouterr().out
    assert found[run.folder] == found[tmp_path / "model"]
    model = load_model(tmp_path / "model", backend)
    assert model.preprocessing["crop_pct"] == 0.9
    split = labelled_split(root, run.data, crop_pct=0.9)
    rows = np.flatnonzero((split.names == b"a/001.jpg") | (split.names == b"c/013.jpg"))
    mean, std = (np.float32(model.preprocessing[name]) for name in ("mean", "std"))
    seen = (read([path, other], model) - mean) / std
    np.testing.assert_array_equal(seen.transpose(0, 3, 1, 2), split.at(rows))


def test_an_exported_model_has_one_checkpoint(finished, tmp_path, capsys):
    assert export([str(finished["numpy"]), str(tmp_path / "model")]) == 0
    capsys.readouterr()
    line = refused(capsys, predict, [str(tmp_path / "model"), "--checkpoint=last", "x.png"])
    assert "is an exported model, not a run" in line


def test_the_recipe_for_imagenet_takes_its_steps(root, tmp_path):
    """configs/imagenet_swin_t.yaml with every key, on small images and with a small Swin."""
    small = ["--model.embed_dim=8", "--model.num_heads=[1, 2, 4, 8]", "--model.depths=[1, 1, 1, 1]"]
    small += ["--data.image_size=32", "--data.val_fraction=0.2", "--data.test_fraction=0.2"]
    small += ["--training.epochs=1", "--training.batch_size=10", f"--data.root={root}"]
    given = ["--backend=torch", "--config", str(RECIPE), *small, "--data.workers=0"]
    assert main(["--run", str(tmp_path / "run"), *given]) == 0
    (row,) = rows_of(tmp_path / "run")
    assert row["step"] == 3
    assert 0 < row["train_loss"] < 10
