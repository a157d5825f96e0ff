"""The training command with both twins: results, resuming to the same bits, the other's checkpoints."""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from small_runs import BACKENDS, SMALL, assert_same_run, rows_of, start
from tqdm import tqdm

from experiments import build, checkpoint, runs
from experiments import evaluate as evaluate_command
from experiments import train as train_module
from experiments.build import build_trainer, load_dataset
from experiments.cli import parser_for
from experiments.config import add_sections, to_config
from experiments.data import load_data
from experiments.data.augmentation import Augmentation
from experiments.distributed import ALONE
from experiments.train import main
from numpy_ref import EvalResult, StepResult, Trainer

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_run_leaves_what_it_should(finished, backend, capsys):
    folder = finished[backend]
    assert {p.name for p in folder.iterdir()} == {
        "config.yaml",
        "run.json",
        "lock",
        "log.txt",
        "metrics.jsonl",
        "best.safetensors",
        "last.safetensors",
        "evaluation_test.json",
    }
    rows = rows_of(folder)
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 4
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]


def test_last_line_is_for_scripts(tmp_path, capsys):
    start(tmp_path / "r", "numpy", "--training.epochs=1")
    last = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(rf"test_accuracy=\d\.\d{{4}} run={re.escape(str(tmp_path / 'r'))}", last)


def test_both_twins_log_the_same_lines(finished):
    """Weights, order and dropout are the same, so the float32 metrics agree to within 0.005."""
    logs = [(finished[b] / "log.txt").read_text() for b in BACKENDS]
    number = r"\d+\.\d+(?:e[+-]\d+)?"
    assert re.sub(number, "#", logs[0]) == re.sub(number, "#", logs[1])
    ours, theirs = (np.array(re.findall(number, log), float) for log in logs)
    assert np.abs(ours - theirs).max() < 0.005


def test_the_default_config_learns(tmp_path, capsys):
    """Six epochs of the default config reach 85 %; wrong gradients or labels would not."""
    config = ["--config", str(ROOT / "configs/rpb_config.yaml"), "--visualization.enabled=false"]
    assert main([*config, "--run", str(tmp_path / "r"), "--training.epochs=6"]) == 0
    accuracy = re.search(r"test_accuracy=([\d.]+)", capsys.readouterr().out)[1]
    assert float(accuracy) > 0.85


@pytest.mark.parametrize("backend", BACKENDS)
def test_same_seed_same_bits(finished, backend, tmp_path):
    assert_same_run(start(tmp_path / "again", backend), finished[backend])


def test_one_blas_thread_or_two_same_bits(finished, tmp_path):
    """Each runs in a new process, as the number of threads is fixed when NumPy is loaded."""
    for threads in ("1", "2"):
        env = os.environ | {"OPENBLAS_NUM_THREADS": threads, "NUMBA_NUM_THREADS": threads}
        command = [sys.executable, "-m", "experiments.train", "--run", str(tmp_path / threads), *SMALL]
        subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True)
        assert_same_run(tmp_path / threads, finished["numpy"])


@pytest.mark.parametrize("backend", BACKENDS)
def test_resume_after_kill_9_gives_the_same_bits(finished, backend, tmp_path):
    folder = tmp_path / "killed"
    command = [
        sys.executable,
        "-m",
        "experiments.train",
        "--backend",
        backend,
        "--run",
        str(folder),
        *SMALL,
    ]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (folder / "last.safetensors").exists():
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert checkpoint.load(folder / "last.safetensors")[1]["epoch"] < 4
    with open(folder / "metrics.jsonl", "a") as file:
        file.write('{"epoch": 3, "trai')  # what a kill in the middle of a write leaves
    assert main(["--resume", str(folder)]) == 0
    assert_same_run(folder, finished[backend])


@pytest.mark.parametrize("name", ["last.safetensors", "best.safetensors"])
@pytest.mark.parametrize("epoch", [1, 4])  # both are the best so far
def test_killed_before_a_checkpoint_is_written(finished, epoch, name, tmp_path, monkeypatch):
    """A kill before last.safetensors or between it and best.safetensors must not lose the best epoch."""
    folder, write = tmp_path / "r", runs.write_whole

    def killed(path, content):
        if path.name == name and len((folder / "log.txt").read_text().splitlines()) == epoch:
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(runs, "write_whole", killed)
    assert main(["--run", str(folder), *SMALL]) == 130
    monkeypatch.setattr(runs, "write_whole", write)
    assert main(["--resume", str(folder)]) == 0
    assert_same_run(folder, finished["numpy"])


def test_a_finished_run_resumes_to_itself(finished, capsys):
    before = (finished["numpy"] / "last.safetensors").read_bytes()
    assert main(["--resume", str(finished["numpy"])]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("test_accuracy=")
    assert (finished["numpy"] / "last.safetensors").read_bytes() == before


def test_an_existing_run_is_not_overwritten(finished, capsys):
    before = (finished["numpy"] / "log.txt").read_text()
    with pytest.raises(SystemExit):
        main(["--run", str(finished["numpy"]), *SMALL])
    assert "--resume" in capsys.readouterr().err
    assert (finished["numpy"] / "log.txt").read_text() == before


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_checkpoint_of_one_twin_loads_into_the_other(finished, backend):
    run = runs.open_run(finished[backend])
    ours, theirs = (runs.load(run, twin) for twin in BACKENDS)
    images = runs.dataset_of(run).test.images
    logits = ours.predict(images)
    np.testing.assert_array_less(np.abs(logits - theirs.predict(images)), 1e-4)
    for a, b in zip(ours.attention_maps(images[:3]), theirs.attention_maps(images[:3]), strict=True):
        np.testing.assert_array_less(np.abs(a - b), 1e-5)


def test_the_reported_number_is_the_best_epochs_on_the_test_split(tmp_path, monkeypatch):
    """With validation accuracies 0.1, 0.6, 0.6, 0.2 epoch 3, the later best, is tested."""
    validation, seen = iter([0.1, 0.6, 0.6, 0.2]), []

    def evaluate(self, images, labels):
        if len(seen) < 4:
            seen.append(images)
            return EvalResult(1.0, next(validation) * len(labels), None)
        return original(self, images, labels)

    original = Trainer.evaluate
    monkeypatch.setattr(Trainer, "evaluate", evaluate)
    folder = start(tmp_path / "r", "numpy")
    dataset = load_data("digits")
    assert all(images.shape == dataset.val.images.shape for images in seen)
    assert checkpoint.load(folder / "best.safetensors")[1]["epoch"] == 3
    assert checkpoint.load(folder / "last.safetensors")[1]["epoch"] == 4
    best = runs.load(runs.open_run(folder))
    result = json.loads((folder / "evaluation_test.json").read_text())
    right = best.predict(dataset.test.images).argmax(-1) == dataset.test.labels
    assert result["count"] == len(dataset.test.labels)
    assert result["accuracy"] == right.mean()


def test_the_config_reaches_the_trainer_and_the_batches(tmp_path, monkeypatch):
    """Each option of the training section, and the augmentation, reaches the object that uses it."""
    options = ["--training.warmup_epochs=1.5", "--data.max_shift=2", "--data.flip=true"]
    config = to_config(parse_small(*options, "--data.mixup=0.8"))
    dataset = load_dataset(config.data)
    trainer = build_trainer("numpy", config, dataset.summary)
    per_epoch = math.ceil(len(dataset.train.labels) / 256)
    assert (trainer.lr, trainer.min_lr) == (config.training.lr, config.training.min_lr)
    assert trainer.total_steps == 4 * per_epoch
    assert trainer.warmup_steps == round(1.5 * per_epoch)
    assert trainer.clip_norm == config.training.clip_norm
    assert trainer.label_smoothing == config.training.label_smoothing
    assert trainer.optimizer.betas == (config.training.beta1, config.training.beta2)
    assert [g["lr_factor"] for g in trainer.optimizer.groups] == [1, 1, config.training.table_lr_factor]
    assert trainer.optimizer.groups[0]["weight_decay"] == config.training.weight_decay
    given = []
    monkeypatch.setattr(build, "batches", lambda *a: given.append(a) or iter(()))
    with pytest.raises(UnboundLocalError):  # no batch, no last step
        train_module._train_epoch(3, config, dataset, trainer, None, ALONE)
    split, batch_size, seed, epoch, max_shift, flip, fill, *augmented = given[0]
    assert split is dataset.train
    assert (batch_size, seed, epoch, max_shift, flip) == (256, 0, 3, 2, True)
    np.testing.assert_array_equal(fill, dataset.black)
    assert augmented == [Augmentation(mixup=0.8), 10, (0, 1)]


def test_a_short_last_batch_counts_as_what_it_is(monkeypatch):
    """1257 images in batches of 256: the last has 233, all answered correctly."""
    config = to_config(parse_small())
    dataset = load_dataset(config.data)
    trainer = build_trainer("numpy", config, dataset.summary)
    losses = iter([0.0] * 4 + [1.0])
    monkeypatch.setattr(trainer, "train_step", lambda x, y: StepResult(next(losses), len(y), 0.1, 1.0))
    row = train_module._train_epoch(1, config, dataset, trainer, tqdm(disable=True), ALONE)
    assert row["train_accuracy"] == 1
    assert row["train_loss"] == 233 / 1257


def parse_small(*more):
    parser = parser_for("test", "")
    add_sections(parser)
    return parser.parse_args([*SMALL, *more])


def test_a_run_trained_on_another_device_can_be_looked_at(finished, tmp_path, monkeypatch):
    """A run whose files say cuda can be evaluated on a machine without CUDA."""
    folder = shutil.copytree(finished["torch"], tmp_path / "r")
    for name in ("config.yaml", "run.json"):
        (folder / name).unlink()
        monkeypatch.setattr(runs, "check_new", lambda folder: None)
    config = to_config(parse_small("--training.device=cuda"))
    runs.create(
        folder, config, "torch", "cuda", runs.dataset_of(runs.open_run(finished["torch"])).summary
    )
    assert evaluate_command.main([str(folder)]) == 0


def test_a_disk_that_is_full_is_one_line(tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(runs, "save", full)
    with pytest.raises(SystemExit) as stop:
        main(["--run", str(tmp_path / "r"), *SMALL])
    assert stop.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_folder_with_something_in_it_is_not_a_new_run(tmp_path, capsys):
    (tmp_path / "metrics.jsonl").write_text("{}")
    with pytest.raises(SystemExit):
        main(["--run", str(tmp_path), *SMALL])
    assert "is not empty" in capsys.readouterr().err


@pytest.mark.parametrize("split", ["test", "val"])
def test_evaluate_prints_the_accuracy_of_the_split(copy, split, capsys):
    """In a copy: other tests list the files of the run."""
    assert evaluate_command.main([str(copy), "--split", split]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    result = json.loads((copy / f"evaluation_{split}.json").read_text())
    assert last == f"{split}_accuracy={result['accuracy']:.4f} run={copy}"
    confusion = np.array(result["confusion"])
    assert confusion.sum() == result["count"]
    assert np.trace(confusion) / confusion.sum() == result["accuracy"]


@pytest.mark.parametrize("damage", [b"", b"not a checkpoint", None])
def test_a_damaged_checkpoint_is_named(finished, tmp_path, damage):
    whole = (finished["numpy"] / "best.safetensors").read_bytes()
    path = tmp_path / "best.safetensors"
    path.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    with pytest.raises(ValueError, match=re.escape(str(path))):
        checkpoint.load(path)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "last.safetensors"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        runs.write_whole(path, b"new")
    assert path.read_bytes() == b"old"
