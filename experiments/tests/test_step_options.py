"""Runs with micro-batches, an average of the weights, mixed precision and TensorBoard's events."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from small_runs import BACKENDS, SMALL, assert_same_run, interrupt, refused, start

from experiments import checkpoint, events, metrics, runs, visualize
from experiments.evaluate import main as evaluate
from experiments.export import main as export
from experiments.resize import main as resize
from experiments.train import main
from numpy_ref import VisionTransformer

ROOT = Path(__file__).parents[2]
TINY = [*SMALL, "--model.embed_dim=8", "--model.depth=1", "--model.patch_size=4"]
EMA = ["--training.ema_decay=0.9", "--training.accumulate=3"]
OPTIONS = {
    "numpy": ("numpy", EMA),
    "torch": ("torch", EMA),
    "bf16": ("torch", [*EMA, "--training.precision=bf16", "--training.attention=sdpa"]),
    "fp16": ("torch", [*EMA, "--training.precision=fp16"]),
}
NEW = ("accumulate", "ema_decay", "precision", "attention", "compile", "tensorboard")


@pytest.fixture(scope="module")
def averaged(tmp_path_factory):
    """Train a run with an average with each twin and return {backend: folder}."""
    base = tmp_path_factory.mktemp("averaged")
    return {backend: start(base / backend, backend, *TINY, *EMA) for backend in BACKENDS}


def stopped(folder, epoch, *arguments):
    """Start a run and interrupt it when this epoch's row is to be written; return the folder."""
    record = metrics.record
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            metrics, "record", lambda f, row: interrupt() if row["epoch"] == epoch else record(f, row)
        )
        assert main(["--run", str(folder), *arguments]) == 130
    return folder


@pytest.mark.parametrize(("backend", "options"), OPTIONS.values(), ids=OPTIONS)
def test_a_run_that_was_stopped_goes_on_to_the_same_bits(backend, options, tmp_path):
    whole = start(tmp_path / "whole", backend, *TINY, *options)
    half = stopped(tmp_path / "half", 3, f"--backend={backend}", *TINY, *options)
    assert main(["--resume", str(half)]) == 0
    assert_same_run(half, whole)
    names = checkpoint.load(whole / "last.safetensors").arrays.keys()
    assert {"ema.head.bias", "model.head.bias"} <= names
    assert ("scaler.scale" in names) == ("--training.precision=fp16" in options)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_used_is_the_average(averaged, backend, tmp_path):
    """The network that `runs.load` gives to every command, `export`, the validation, in either twin."""
    folder = averaged[backend]
    arrays = checkpoint.load(folder / "best.safetensors").arrays
    for twin in BACKENDS:
        state = runs.load(runs.open_run(folder), twin).model.state_dict()
        for name, array in state.items():
            np.testing.assert_array_equal(array, arrays[f"ema.{name}"])
        assert (arrays["model.head.weight"] != arrays["ema.head.weight"]).any()
        assert evaluate([str(folder), "--backend", twin, "--split=val", "--checkpoint=last"]) == 0
        last = metrics.read(folder, checkpoint.load(folder / "last.safetensors").progress)[-1]
        found = json.loads((folder / "evaluation_val.json").read_text())
        assert found["accuracy"] == last["val_accuracy"]
        assert abs(found["loss"] - last["val_loss"]) < 1e-5
    assert export([str(folder), str(tmp_path / "model")]) == 0
    exported = VisionTransformer.from_pretrained(tmp_path / "model").state_dict()
    np.testing.assert_array_equal(exported["head.weight"], arrays["ema.head.weight"])


def test_the_tested_network_is_the_average(averaged):
    """The figures that training itself reports at its end are those of `evaluate`."""
    for folder in averaged.values():
        before = json.loads((folder / "evaluation_test.json").read_text())
        assert evaluate([str(folder)]) == 0
        assert json.loads((folder / "evaluation_test.json").read_text()) == before


def test_the_pictures_are_of_the_average(averaged, tmp_path, monkeypatch):
    """They are drawn from the model itself, at the end of training and by `experiments.visualize`."""
    drawn = []

    def draw(run, trainer, *more):
        drawn.append(trainer.model.state_dict())
        return []

    monkeypatch.setattr(visualize, "draw", draw)
    folder = tmp_path / "run"
    shutil.copytree(averaged["numpy"], folder)
    set_in_config(folder, "visualization", enabled=True)
    assert main(["--resume", str(folder)]) == 0
    assert visualize.main([str(folder)]) == 0
    arrays = checkpoint.load(folder / "best.safetensors").arrays
    assert len(drawn) == 2
    for state in drawn:
        np.testing.assert_array_equal(state["head.weight"], arrays["ema.head.weight"])


def set_in_config(folder, section, **options):
    """Edit config.yaml as if the run had been started so; an option that is `...` is taken out."""
    sections = yaml.safe_load((folder / "config.yaml").read_text())
    changed = sections[section] | options
    sections[section] = {name: value for name, value in changed.items() if value is not ...}
    (folder / "config.yaml").write_text(yaml.safe_dump(sections))
    about = json.loads((folder / "run.json").read_text())
    about["sha256"] = runs._digest(about, (folder / "config.yaml").read_bytes())
    (folder / "run.json").write_text(json.dumps(about))


def test_a_resized_run_begins_with_its_weights_as_the_average(averaged, tmp_path):
    new = tmp_path / "new"
    assert resize([str(averaged["numpy"]), "--image-size=12", "--out", str(new)]) == 0
    arrays, progress = checkpoint.load(new / "last.safetensors")
    assert progress["step"] == 0
    old = checkpoint.load(averaged["numpy"] / "best.safetensors").arrays
    for name in ("model.head.weight", "ema.head.weight"):
        np.testing.assert_array_equal(arrays[name], old["ema.head.weight"])
    assert evaluate([str(new)]) == 0


def test_a_run_from_before_these_options_goes_on(half, finished):
    """Its config.yaml lacks them; it ends with the bits of a run that has their defaults."""
    set_in_config(half, "training", **dict.fromkeys(NEW, ...))
    assert "tensorboard" not in (half / "config.yaml").read_text()
    assert main(["--resume", str(half)]) == 0
    assert_same_run(half, finished["numpy"])


def test_a_run_in_half_precision_is_used_by_either_twin(tmp_path, capsys):
    """Both evaluate in float32, as the training did."""
    folder = start(tmp_path / "r", "torch", *TINY, *OPTIONS["bf16"][1])
    for twin in BACKENDS:
        assert evaluate([str(folder), "--backend", twin, "--split=val", "--checkpoint=last"]) == 0
        last = metrics.read(folder, runs.last_progress(runs.open_run(folder)))[-1]
        found = json.loads((folder / "evaluation_val.json").read_text())
        assert found["accuracy"] == last["val_accuracy"]
    capsys.readouterr()
    assert "precision is 'bf16', but the NumPy twin" in refused(
        capsys, resize, [str(folder), "--image-size=12", "--backend=numpy", "--out", str(tmp_path / "n")]
    )
    assert not (tmp_path / "n").exists()


@pytest.fixture
def watched(tmp_path):
    """Train a run with TensorBoard's events and return its folder."""
    pytest.importorskip("tensorboard")
    return start(tmp_path / "run", "numpy", *TINY, "--training.tensorboard=true")


def scalars(folder):
    """Return {tag: [(step, value)]} as TensorBoard reads them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(folder)).Reload()
    return {tag: [(e.step, e.value) for e in read.Scalars(tag)] for tag in read.Tags()["scalars"]}


def rows_as_scalars(folder):
    rows = metrics.read(folder, runs.last_progress(runs.open_run(folder)))
    return {
        tag: [(row["epoch"], np.float32(row[name])) for row in rows] for tag, name in events.TAGS.items()
    }


def test_tensorboard_reads_the_rows(watched):
    found = scalars(watched)
    assert found == rows_as_scalars(watched)
    assert [step for step, _ in found["loss/val"]] == [1, 2, 3, 4]


def test_the_times_of_the_events_are_those_of_training(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    row = dict.fromkeys(events.TAGS.values(), 0.5)
    events.write(tmp_path, [row | {"epoch": n, "seconds": 2.0} for n in (1, 2, 3)], 1e9)
    read = EventAccumulator(str(tmp_path)).Reload()
    assert [event.wall_time - 1e9 for event in read.Scalars("lr")] == [2, 4, 6]


def test_a_resumed_run_repeats_no_epoch(tmp_path):
    """The second epoch's row and checkpoint were written, its event only in part; then nothing."""
    pytest.importorskip("tensorboard")
    folder = stopped(tmp_path / "run", 3, *TINY, "--training.tensorboard=true")
    path = folder / events.NAME
    for left in (path.read_bytes()[:-5], b"", b"other", path.read_bytes()):
        path.write_bytes(left)
        place = path.stat().st_ino
        runs.mend(runs.open_run(folder))
        assert scalars(folder) == rows_as_scalars(folder)
        assert (path.stat().st_ino == place) == (left != b"other")  # who reads the file can go on
    path.unlink()
    assert main(["--resume", str(folder)]) == 0
    assert scalars(folder) == rows_as_scalars(folder)


def test_events_grow_in_place(watched):
    """TensorBoard keeps the file open, so an epoch is appended; the bytes before it stay."""
    rows = metrics.read(watched, runs.last_progress(runs.open_run(watched)))
    folder = watched / "again"
    folder.mkdir()
    contents, places = [b""], set()
    for count in range(5):
        events.write(folder, rows[:count], 1e9)
        contents.append((folder / events.NAME).read_bytes())
        places.add((folder / events.NAME).stat().st_ino)
        assert contents[-1].startswith(contents[-2])
        assert len(contents[-1]) > len(contents[-2])
    assert len(places) == 1


def test_events_need_no_pytorch(tmp_path):
    pytest.importorskip("tensorboard")
    code = (
        "import sys; sys.modules['torch'] = None; from experiments import events; "
        "events.check_installed(); events.write(sys.argv[1], [], 0.0)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT)
    assert done.returncode == 0
    assert (tmp_path / events.NAME).stat().st_size > 0


def test_a_missing_tensorboard_is_one_line(tmp_path, capsys, monkeypatch):
    """A machine without the package is simulated by an import that fails."""
    for name in [n for n in sys.modules if n.partition(".")[0] == "tensorboard"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    folder = tmp_path / "run"
    line = refused(capsys, main, ["--run", str(folder), *TINY, "--training.tensorboard=true"])
    assert "pip install -r requirements/tensorboard.txt" in line
    assert not folder.exists()
