"""Damage to a run's files: every flipped bit, cut, edit and loss is noticed, and nothing is changed."""

import random
import shutil

import pytest
from small_runs import SMALL, assert_same_run, contents, interrupt, refused

from experiments import checkpoint, metrics, runs
from experiments.evaluate import main as evaluate
from experiments.predict import main as predict
from experiments.train import main
from experiments.visualize import main as visualize

WHOLE = ["config.yaml", "last.safetensors", "metrics.jsonl", "run.json"]


def pack_again(path, **changes):
    """Rewrite a checkpoint with changed progress and a matching SHA-256."""
    arrays, progress = checkpoint.load(path)
    path.write_bytes(checkpoint.pack(arrays, progress | changes))


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
        patch.setattr(runs, "save", lambda r, a, p: save(r, a, p) if p["epoch"] < 4 else interrupt())
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
