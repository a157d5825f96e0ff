"""experiments.resize: the new run holds the interpolated weights, is evaluated and trains on."""

import json

import numpy as np
import pytest
from data_files import write_images
from small_runs import BACKENDS, assert_same_run, refused, start

import numpy_ref
from experiments import checkpoint, metrics, runs
from experiments.evaluate import main as evaluate
from experiments.resize import main
from experiments.train import main as train
from experiments.visualize import main as visualize

DONE = (
    "blocks.0.attn.rel_pos and 1 more: nothing to interpolate: the parameters do not depend on the "
    "window; with pretrained_window_size=(4, 4)\n"
)
TABLE = "model.blocks.1.attn.rel_pos.relative_position_bias_table"


def resized(folder, new, size, *more):
    sizes = map(str, np.atleast_1d(size))
    assert main([str(folder), "--image-size", *sizes, "--out", str(new), *more]) == 0
    return new


def accuracy(folder, *more):
    assert evaluate([str(folder), *more]) == 0
    return json.loads((folder / "evaluation_test.json").read_text())["accuracy"]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("method", ["bicubic", "geometric", "linear"])
def test_the_new_run_holds_the_interpolated_weights(finished, tmp_path, backend, method, capsys):
    new = resized(finished[backend], tmp_path / "new", [12, 16], "--method", method)
    assert "blocks.0.attn.rel_pos and 1 more: interpolated relative_position" in capsys.readouterr().out
    before, _ = checkpoint.load(finished[backend] / "best.safetensors")
    after, progress = checkpoint.load(new / "best.safetensors")
    for name in before.keys() - {TABLE, TABLE.replace("1", "0")}:
        if name.startswith("model."):
            np.testing.assert_array_equal(after[name], before[name], err_msg=name)
    table = numpy_ref.resize_table(before[TABLE], (4, 4), (6, 8), method)
    np.testing.assert_array_max_ulp(after[TABLE], table)
    moments = [a for name, a in after.items() if name.startswith("optimizer.")]
    assert moments
    assert not any(a.any() for a in moments)
    assert (progress["epoch"], progress["step"], progress["best_epoch"]) == (0, 0, 0)
    old_config, config = (runs.open_run(f).config for f in (finished[backend], new))
    assert config.data.image_size == [12, 16]
    config.data.image_size = None
    assert config == old_config


def test_options_and_checkpoint_are_chosen(finished, tmp_path):
    more = ["--epochs=1", "--lr=0.0005", "--checkpoint=last", "--backend=torch"]
    new = resized(finished["numpy"], tmp_path / "new", 12, *more)
    run = runs.open_run(new)
    assert (run.twin, run.config.training.epochs, run.config.training.lr) == ("torch", 1, 0.0005)
    last, _ = checkpoint.load(finished["numpy"] / "last.safetensors")
    after, _ = checkpoint.load(new / "last.safetensors")
    np.testing.assert_array_equal(after["model.head.weight"], last["model.head.weight"])


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_same_size_is_the_same_network(finished, tmp_path, backend):
    new = resized(finished[backend], tmp_path / "new", 8)
    assert accuracy(new) == accuracy(finished[backend])


def test_it_is_evaluated_drawn_and_trained_on(finished, tmp_path, capsys):
    new = resized(finished["numpy"], tmp_path / "new", 12, "--epochs=2")
    assert accuracy(new) == accuracy(new, "--backend=torch")
    assert visualize([str(new)]) == 0
    assert not (new / "pictures" / "curves.png").exists()
    capsys.readouterr()
    assert train(["--resume", str(new)]) == 0
    assert "6x6 patches" in capsys.readouterr().out
    before, _ = checkpoint.load(finished["numpy"] / "best.safetensors")
    after, progress = checkpoint.load(new / "last.safetensors")
    assert progress["epoch"] == 2
    assert progress["best_val_accuracy"] > 0.2
    moved = np.abs(after["model.head.weight"] - before["model.head.weight"]).max()
    assert 0 < moved < np.abs(before["model.head.weight"]).max()


def test_a_break_does_not_change_its_bits(finished, tmp_path):
    whole, broken = (resized(finished["numpy"], tmp_path / n, 12, "--epochs=3") for n in ("a", "b"))
    assert train(["--resume", str(whole)]) == 0
    record = metrics.record

    def stop_in_the_second(folder, row):
        if row["epoch"] == 2:
            raise KeyboardInterrupt
        return record(folder, row)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "record", stop_in_the_second)
        assert train(["--resume", str(broken)]) == 130
    assert train(["--resume", str(broken)]) == 0
    assert_same_run(whole, broken)


def test_coordinates_keep_their_window(tmp_path, capsys):
    """log_cpb scales its coordinates by the window it was trained with, also after two changes."""
    scheme = ["--relative_position.bias_type=log_cpb", "--training.epochs=1"]
    folder = start(tmp_path / "run", "numpy", *scheme)
    new = resized(folder, tmp_path / "new", 12)
    newer = resized(new, tmp_path / "newer", 16)
    assert capsys.readouterr().out.count(DONE) == 2
    for each in (new, newer):
        kwargs = runs.open_run(each).config.relative_position.rpb_kwargs
        assert kwargs == {"pretrained_window_size": [4, 4]}
    schemes = [runs.load(runs.open_run(f)).model.rel_pos_biases() for f in (folder, newer)]
    ours, theirs = (each["blocks.0.attn.rel_pos"] for each in schemes)
    np.testing.assert_array_equal(ours(q_size=8, k_size=8), theirs())


def test_an_absolute_embedding_and_a_class_token(tmp_path):
    options = ["--relative_position.position=absolute", "--model.global_pool=token"]
    folder = start(tmp_path / "run", "numpy", *options, "--training.epochs=1")
    new = resized(folder, tmp_path / "new", 12)
    (before, _), (after, _) = (checkpoint.load(f / "best.safetensors") for f in (folder, new))
    expected = numpy_ref.resize_pos_embed(before["model.pos_embed"], (4, 4), (6, 6), num_prefix_tokens=1)
    np.testing.assert_array_equal(after["model.pos_embed"], expected)
    accuracy(new)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--image-size", "9"], "img_size (9, 9) is not divisible"),
        (["--image-size", "0"], "image_size"),
        (["--image-size", "8", "8", "8"], "image_size"),
        (["--image-size", "12", "--window-size", "2"], "window_size"),
        (["--image-size", "x"], "image_size"),
        ([], "required: image_size"),
        (["--image-size", "12", "--method", "nearest"], "method is 'nearest'"),
        (["--image-size", "12", "--epochs", "0"], "training.epochs is 0"),
        (["--image-size", "12", "--lr", "-1"], "training.lr is -1"),
    ],
)
def test_bad_options_are_one_line_and_write_nothing(finished, tmp_path, arguments, message, capsys):
    new = tmp_path / "new"
    line = refused(capsys, main, [str(finished["numpy"]), *arguments, "--out", str(new)])
    assert message in line
    assert not new.exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"best_epoch": 1}, "best_epoch is 1"),
        ({"best_val_accuracy": 0.5}, "best_val_accuracy is 0.5"),
        ({"epoch": 4, "best_epoch": 0}, "best_epoch is 0"),
        ({"epoch": 4, "best_epoch": 4}, "best_val_accuracy is -1.0"),
        ({"epoch": -1}, "epoch is -1"),
    ],
)
def test_epoch_0_has_no_best_epoch_and_others_have_one(finished, tmp_path, changed, message):
    new = resized(finished["numpy"], tmp_path / "new", 12) / "last.safetensors"
    progress = checkpoint.load(new).progress
    with pytest.raises(ValueError, match=f"progress: {message}"):
        checkpoint.check_progress(new, progress | changed)


def test_bad_folders_are_one_line(finished, tmp_path, capsys):
    old, size = str(finished["numpy"]), ["--image-size", "12"]
    assert "is not a run" in refused(capsys, main, [str(tmp_path), *size])
    line = refused(capsys, main, [old, *size, "--out", old])
    assert "already holds a run" in line


def test_other_data_than_the_runs_are_one_line(tmp_path, capsys):
    images = tmp_path / "images"
    write_images(images, {"a": 40, "b": 40}, size=(8, 8))
    data = ["--data.name=folder", f"--data.root={images}", "--training.epochs=1"]
    folder, new = start(tmp_path / "run", "numpy", *data), tmp_path / "new"
    assert runs.open_run(resized(folder, tmp_path / "fine", 12)).data.image_shape == (1, 12, 12)
    capsys.readouterr()
    (images / "a" / "000.png").unlink()
    line = refused(capsys, main, [str(folder), "--image-size=12", f"--out={new}"])
    assert "the data is not that of the run: counts" in line
    assert not new.exists()


def test_what_cannot_be_resized_is_one_line(tmp_path, capsys):
    folder = start(
        tmp_path / "run", "numpy", "--relative_position.position=absolute", "--training.epochs=1"
    )
    new = ["--image-size", "12", "--out", str(tmp_path / "new")]
    capsys.readouterr()
    assert "method is 'geometric'" in refused(capsys, main, [str(folder), *new, "--method=geometric"])
    index = json.dumps([[abs(i - j) for j in range(16)] for i in range(16)])
    scheme = [
        "--relative_position.bias_type=custom",
        f'--relative_position.rpb_kwargs={{"index": {index}}}',
    ]
    folder = start(tmp_path / "custom", "numpy", *scheme, "--training.epochs=1")
    capsys.readouterr()
    assert "index" in refused(capsys, main, [str(folder), *new])
    assert not (tmp_path / "new").exists()


def test_a_method_is_checked_also_where_none_is_needed(tmp_path, capsys):
    bare = ["--relative_position.position=none", "--training.epochs=1"]
    folder, new = start(tmp_path / "run", "numpy", *bare), tmp_path / "new"
    capsys.readouterr()
    arguments = [str(folder), "--image-size=12", f"--out={new}"]
    assert "method is 'nearest'" in refused(capsys, main, [*arguments, "--method=nearest"])
    assert main(arguments) == 0


def test_a_killed_start_is_never_a_run_without_its_weights(finished, tmp_path, monkeypatch):
    """The checkpoints are written before config.yaml, which makes a folder a run."""
    write = runs.write_whole
    for allowed in range(5):
        new, left = tmp_path / str(allowed), [None] * allowed

        def stopping(path, content, left=left):
            if not left:
                raise KeyboardInterrupt
            left.pop()
            write(path, content)

        with monkeypatch.context() as patch:
            patch.setattr(runs, "write_whole", stopping)
            code = main([str(finished["numpy"]), "--image-size=12", "--out", str(new)])
        assert code == (0 if allowed == 4 else 130)
        assert (new / "config.yaml").exists() == (allowed == 4)
