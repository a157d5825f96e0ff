"""A run's folder: damage is noticed, no run is lost, and two processes cannot train the same run."""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from small_runs import BACKENDS, SMALL, assert_same_run, refused, start

import numpy_ref
from experiments import checkpoint, files, metrics, runs
from experiments.evaluate import main as evaluate
from experiments.predict import main as predict
from experiments.train import main
from experiments.visualize import main as visualize

ROOT = Path(__file__).parents[2]
WHOLE = ["config.yaml", "last.safetensors", "metrics.jsonl", "run.json"]


@pytest.fixture
def copy(finished, tmp_path):
    """Return a copy of a finished NumPy run, which a test may damage."""
    return shutil.copytree(finished["numpy"], tmp_path / "run")


@pytest.fixture
def half(finished, tmp_path):
    """Return a run that was stopped after two of its four epochs; the second was the best so far."""
    folder, record = tmp_path / "half", metrics.record
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "record", lambda f, row: _stop() if row["epoch"] == 3 else record(f, row))
        assert main(["--run", str(folder), *SMALL]) == 130
    return folder


def _stop():
    raise KeyboardInterrupt


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def pack_again(path, **changes):
    """Rewrite a checkpoint with changed progress and a matching SHA-256."""
    arrays, progress = checkpoint.load(path)
    path.write_bytes(checkpoint.pack(arrays, progress | changes))


# bits


@pytest.mark.parametrize("name", ["last.safetensors", "best.safetensors"])
def test_every_flipped_bit_of_a_checkpoint_is_seen(copy, name):
    path, draw = copy / name, random.Random(0)
    content = path.read_bytes()
    header = 8 + int.from_bytes(content[:8], "little")
    places = [draw.randrange(8 * header) for _ in range(200)]
    places += [draw.randrange(8 * header, 8 * len(content)) for _ in range(200)]
    for place in places:
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        with pytest.raises(ValueError, match=name):
            checkpoint.load(path)


@pytest.mark.parametrize("command", [main, evaluate, visualize, predict], ids=lambda c: c.__module__)
def test_a_flipped_bit_is_one_line(copy, command, capsys):
    for name in ("last.safetensors", "best.safetensors"):
        content = bytearray((copy / name).read_bytes())
        content[-1000] ^= 1
        (copy / name).write_bytes(content)
    before = contents(copy)
    arguments = {main: ["--resume", str(copy)], predict: [str(copy), "x.png"]}.get(command, [str(copy)])
    assert "safetensors: damaged" in refused(capsys, command, arguments)
    assert contents(copy) == before


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_that_is_cut_is_one_line(copy, name, capsys):
    path, draw = copy / name, random.Random(0)
    content = path.read_bytes()
    for length in [0, 1, len(content.rstrip()) - 1, *(draw.randrange(len(content)) for _ in range(6))]:
        path.write_bytes(content[:length])
        before = contents(copy)
        refused(capsys, main, ["--resume", str(copy)])
        assert contents(copy) == before


def test_every_cut_of_the_metrics_is_seen(copy):
    progress = checkpoint.load(copy / "last.safetensors").progress
    text = (copy / "metrics.jsonl").read_bytes()
    assert len(metrics.read(copy, progress)) == 4
    for length in range(len(text)):
        (copy / "metrics.jsonl").write_bytes(text[:length])
        with pytest.raises(ValueError, match=r"metrics\.jsonl"):
            metrics.read(copy, progress)


def test_every_edit_of_the_metrics_is_seen(copy):
    """The edits change, insert and delete bytes, and delete, repeat and swap lines."""
    progress, draw = checkpoint.load(copy / "last.safetensors").progress, random.Random(0)
    path = copy / "metrics.jsonl"
    text = path.read_text()
    edits = set()
    for _ in range(200):
        place, other = draw.randrange(len(text)), draw.choice('0123456789.,"{}x \n')
        edits |= {text[:place] + other + text[place:], text[:place] + text[place + 1 :]}
        edits.add(text[:place] + other + text[place + 1 :])
    lines = text.splitlines(keepends=True)
    edits |= {"".join(lines[:n] + lines[n + 1 :]) for n in range(4)}
    edits |= {"".join(lines[:n] + lines[n:][:1] + lines[n:]) for n in range(3)}
    edits.add("".join([lines[1], lines[0], *lines[2:]]))
    for edit in edits - {text, text + "\n"}:
        path.write_text(edit)
        if edit.startswith(text):  # an unfinished line after the last epoch is allowed: a kill leaves it
            continue
        with pytest.raises(ValueError, match=r"metrics\.jsonl"):
            metrics.read(copy, progress)


def test_rows_with_right_checksums_that_are_not_the_checkpoints_are_seen(copy, capsys):
    progress = checkpoint.load(copy / "last.safetensors").progress
    rows = metrics.read(copy, progress)
    metrics.rewind(copy, [*rows[:2], rows[2] | {"val_loss": 1.0}, rows[3]])
    assert "do not match the digest" in refused(capsys, main, ["--resume", str(copy)])
    for wrong in ({"epoch": 2}, {"step": True}):
        metrics.rewind(copy, [rows[0] | wrong, *rows[1:]])
        assert "line 1 does not hold the metrics of epoch 1" in refused(
            capsys, main, ["--resume", str(copy)]
        )


def test_a_checkpoint_from_before_is_not_resumed_over_later_epochs(copy, half, capsys):
    shutil.copy(half / "last.safetensors", copy)
    line = refused(capsys, main, ["--resume", str(copy)])
    assert "4 epochs, but last.safetensors is of epoch 2" in line


def test_a_best_checkpoint_of_another_run_is_seen(finished, tmp_path, capsys):
    """After epoch 3 the best epoch is 2, so best.safetensors must be the checkpoint of epoch 2."""
    folder, save = tmp_path / "third", runs.save
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "save", lambda r, a, p: save(r, a, p) if p["epoch"] < 4 else _stop())
        assert main(["--run", str(folder), *SMALL]) == 130
    assert checkpoint.load(folder / "last.safetensors").progress["best_epoch"] == 2
    kept = (folder / "best.safetensors").read_bytes()
    capsys.readouterr()
    pack_again(folder / "best.safetensors", metrics="0" * 64)
    assert "is not of the best epoch" in refused(capsys, main, ["--resume", str(folder)])
    (folder / "best.safetensors").write_bytes(kept[:-1])
    assert "best.safetensors: damaged" in refused(capsys, main, ["--resume", str(folder)])
    (folder / "best.safetensors").write_bytes(kept)
    assert main(["--resume", str(folder)]) == 0
    assert_same_run(folder, finished["numpy"])


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        ("last.safetensors", "has lost last.safetensors"),
        ("metrics.jsonl", "rows of 0 epochs, but last.safetensors is of epoch 4"),
        ("run.json", "older version"),
        ("config.yaml", "is not a run"),
    ],
)
def test_a_lost_file_is_one_line(copy, lost, message, capsys):
    (copy / lost).unlink()
    before = contents(copy)
    assert message in refused(capsys, main, ["--resume", str(copy)])
    assert contents(copy) == before


PROGRESS = {
    "epoch": [0, -1, 1.0, "4", None, True, [4], 5],
    "step": [-1, 7, 20.0, "20", None, True],
    "best_epoch": [0, 5, 1.5, "4", None],
    "best_val_accuracy": [-0.1, 1.1, float("nan"), "0.5", None, True, 0.25],
    "metrics": ["", "0" * 63, 0, None, "0" * 64],
    "generator": [None, "PCG64", {}, {"bit_generator": "PCG64"}, {"bit_generator": 3}],
}


@pytest.mark.parametrize(("field", "value"), [(f, v) for f, vs in PROGRESS.items() for v in vs], ids=str)
def test_a_wrong_field_of_the_progress_is_one_line(copy, field, value, capsys):
    """The SHA-256 matches, so only the check of the field itself can notice the fault."""
    pack_again(copy / "last.safetensors", **{field: value})
    before = contents(copy)
    line = refused(capsys, main, ["--resume", str(copy)])
    assert "generator" in line if field == "generator" else "last.safetensors" in line
    assert contents(copy) == before


@pytest.mark.parametrize("progress", [None, [], 3, "x", {}, {"epoch": 1}], ids=str)
def test_a_progress_that_is_none_is_one_line(copy, progress, capsys):
    arrays, _ = checkpoint.load(copy / "last.safetensors")
    (copy / "last.safetensors").write_bytes(checkpoint.pack(arrays, progress))
    assert "last.safetensors: progress is" in refused(capsys, main, ["--resume", str(copy)])


def test_tensors_that_are_not_the_models_are_one_line(copy, capsys):
    arrays, progress = checkpoint.load(copy / "last.safetensors")
    for name in ("model.head.bias", "optimizer.exp_avg.head.bias"):
        spoiled = {n: a for n, a in arrays.items() if n != name}
        (copy / "last.safetensors").write_bytes(checkpoint.pack(spoiled, progress))
        assert "head.bias" in refused(capsys, main, ["--resume", str(copy)])


# what a run was started with


def test_a_run_records_what_it_is(finished):
    for backend in BACKENDS:
        about = json.loads((finished[backend] / "run.json").read_text())
        assert (about["twin"], about["device"]) == (backend, "cpu")
        assert {"python", "project", "numpy", "numba", "torch"} <= about["versions"].keys()
        assert about["versions"]["project"] == numpy_ref.__version__
        data = about["data"]
        assert data["classes"] == [str(n) for n in range(10)]
        assert data["image_shape"] == [1, 8, 8]
        assert data["counts"] == {"train": 1257, "val": 270, "test": 270}
        assert len(data["mean"]) == len(data["std"]) == 1


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("config.yaml", "lr: 0.002", "lr: 0.003"),
        ("config.yaml", "epochs: 4", "epochs: 8"),
        ("run.json", '"twin": "numpy"', '"twin": "torch"'),
        ("run.json", '"1",', '"7",'),
    ],
)
def test_an_edited_description_is_one_line(copy, name, old, new, capsys):
    text = (copy / name).read_text()
    assert old in text
    (copy / name).write_text(text.replace(old, new, 1))
    for command, arguments in ((main, ["--resume", str(copy)]), (evaluate, [str(copy)])):
        assert "has changed since the run began" in refused(capsys, command, arguments)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", 2),
        ("twin", "jax"),
        ("twin", ["numpy"]),
        ("device", None),
        ("versions", []),
        ("data", None),
        ("data", {}),
        *(
            ("data", {name: value})
            for name, value in [("name", 1), ("classes", ["0"]), ("classes", "01")]
        ),
        *(("data", {"image_shape": value}) for value in ([8, 8], [1, 8, 0], [1, 8, "8"], None)),
        *(("data", {"mean": value}) for value in ([], ["0"], [float("nan")], None)),
        *(("data", {"std": value}) for value in ([0.0], [-1.0], [1.0, 1.0])),
        *(("data", {"counts": value}) for value in ({}, {"train": 1, "val": 0, "test": 1}, [1, 2, 3])),
    ],
    ids=str,
)
def test_a_wrong_field_of_the_description_is_one_line(copy, field, value, capsys):
    about = json.loads((copy / "run.json").read_text())
    partly = isinstance(value, dict) and value
    about[field] = about[field] | value if partly else value
    about["sha256"] = runs._digest(about, (copy / "config.yaml").read_bytes())
    (copy / "run.json").write_text(json.dumps(about))
    assert f"run.json: {field}" in refused(capsys, main, ["--resume", str(copy)])


def test_a_resumed_run_goes_on_in_its_twin(half, finished, capsys):
    """Resume without --backend and with the run's own; the other twin is refused."""
    assert "half is trained by numpy" in refused(
        capsys, main, ["--resume", str(half), "--backend=torch"]
    )
    assert main(["--resume", str(half), "--backend", "numpy"]) == 0
    assert_same_run(half, finished["numpy"])
    capsys.readouterr()
    assert main(["--resume", str(finished["torch"])]) == 0
    assert "twin    torch on cpu" in capsys.readouterr().out


def test_other_versions_are_said(half, capsys, monkeypatch):
    monkeypatch.setattr("experiments.versions.versions", lambda: {"python": "4.0"})
    assert main(["--resume", str(half)]) == 0
    out = capsys.readouterr().out
    assert "note    begun with python" in out
    assert "(now 4.0)" in out


# beginnings, locks, disks


@pytest.mark.parametrize("left", [(), ("lock",), ("lock", "run.json"), ("run.json", "config.yaml.part")])
def test_what_was_killed_before_it_was_a_run_starts_again(tmp_path, left, finished, capsys):
    folder = tmp_path / "run"
    folder.mkdir()
    for name in left:
        (folder / name).write_text("half")
    assert f"started again with --run {folder}" in refused(capsys, main, ["--resume", str(folder)])
    start(folder, "numpy")
    assert_same_run(folder, finished["numpy"])


def test_a_run_in_use_is_not_resumed(half, finished, capsys):
    before = contents(half)
    with files.locked(half):
        assert "another process trains it" in refused(capsys, main, ["--resume", str(half)])
        assert contents(half) == before
        assert evaluate([str(half)]) == 0  # evaluating needs no lock
    (half / "evaluation_test.json").unlink()
    assert main(["--resume", str(half)]) == 0
    assert_same_run(half, finished["numpy"])


def test_of_two_that_start_in_one_folder_one_does(tmp_path, capsys):
    folder = tmp_path / "run"
    folder.mkdir()
    with files.locked(folder):
        assert "another process" in refused(capsys, main, ["--run", str(folder), *SMALL])
    assert {path.name for path in folder.iterdir()} == {"lock"}


def test_a_lock_ends_with_its_process(half):
    code = "import os, sys; from experiments.files import locked; "
    code += "locked(sys.argv[1]).__enter__(); os._exit(9)"
    done = subprocess.run([sys.executable, "-c", code, str(half)], cwd=ROOT)
    assert done.returncode == 9
    with files.locked(half):
        pass


def test_files_reach_the_disk_before_they_are_in_place(tmp_path, monkeypatch):
    """The content is synced before the rename, and the folder after it; so is a new folder's name."""
    done, fsync, replace = [], os.fsync, os.replace

    def synced(descriptor):
        done.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        fsync(descriptor)

    def replaced(source, target):
        done.append("replace")
        replace(source, target)

    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc to find the name of a synced file")
    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    files.make_folder(tmp_path / "a" / "b")
    assert done == [tmp_path.name, "a"]
    files.write_whole(tmp_path / "a" / "file", "x")
    assert done[2:] == ["file.part", "replace", "a"]
    files.append(tmp_path / "a" / "lines", "x\n")
    files.append(tmp_path / "a" / "lines", "y\n")
    assert done[5:] == ["lines", "a", "lines"]


def test_equal_runs_are_equal_files(finished, tmp_path):
    again = start(tmp_path / "again", "numpy")
    for name in ("last.safetensors", "best.safetensors", "log.txt", "run.json", "config.yaml"):
        assert (again / name).read_bytes() == (finished["numpy"] / name).read_bytes(), name
