"""The comparison of the schemes: none is missing, it continues where it stopped, the page is right."""

import json
import re

import numpy as np
import pytest

from experiments import compare
from experiments.comparison import page, results
from experiments.comparison.rows import LEFT_OUT, ROWS, manhattan, settings_of
from experiments.train import main as train_main
from numpy_ref import SCHEMES

SMALL = [
    "--model.embed_dim=16",
    "--model.depth=1",
    "--training.epochs=1",
    "--training.batch_size=256",
    "--training.warmup_epochs=0",
    "--schemes=none,2d",
    "--seeds=2",
]


def start(folder, *more):
    return compare.main(["--out", str(folder), *SMALL, *more])


def seeds_of(folder):
    rows = json.loads((folder / "results.json").read_text())["rows"]
    return {name: list(row["seeds"]) for name, row in rows.items()}


def accuracies(folder):
    rows = json.loads((folder / "results.json").read_text())["rows"]
    return {name: [run["test_accuracy"] for run in row["seeds"].values()] for name, row in rows.items()}


def refused(capsys, folder, *more):
    """Start with options that must be refused; return the one line on stderr."""
    with pytest.raises(SystemExit) as stop:
        start(folder, *more)
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert error.count("\n") == 1
    return error


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparison") / "out"
    assert start(folder) == 0
    return folder


def test_every_scheme_is_a_row_or_left_out_with_a_reason():
    schemes = {row.settings.get("bias_type") for row in ROWS.values()} - {None}
    assert schemes | LEFT_OUT.keys() == SCHEMES.keys()
    assert not schemes & LEFT_OUT.keys()
    assert all(LEFT_OUT.values())


def test_every_row_fits_the_model():
    """Every row's trainer can be built; nothing is trained or written."""
    parser = compare.parser_for("test", "")
    compare.add_sections(parser)
    config = compare.to_config(parser.parse_args(["--config", str(compare.CONFIG)]))
    common = compare._common("numpy", config)
    for name in ROWS:
        trainer = compare.build_trainer(
            "numpy", compare._config(common, name, 0), common.dataset.summary
        )
        described = compare._describe(common, name, trainer)
        assert described["position_parameters"] >= described["table_parameters"] >= 0
        json.dumps(described)


def test_a_comparison_leaves_results_table_and_picture(finished):
    assert {path.name for path in finished.iterdir()} == {"results.json", "README.md", "comparison.png"}
    assert seeds_of(finished) == {"none": ["0", "1"], "2d": ["0", "1"]}
    assert (finished / "comparison.png").read_bytes().startswith(b"\x89PNG")
    rows = json.loads((finished / "results.json").read_text())["rows"]
    assert rows["none"]["position_parameters"] == 0
    assert rows["2d"]["position_parameters"] == rows["2d"]["table_parameters"] == 49 * 4
    assert rows["2d"]["parameters"] == rows["none"]["parameters"] + 49 * 4


def test_the_numbers_of_the_page_are_those_of_the_results(finished):
    rows = json.loads((finished / "results.json").read_text())["rows"]
    lines = re.findall(r"^\| `(.+?)` \|(.+)\|$", (finished / "README.md").read_text(), re.M)
    assert {name for name, _ in lines} == rows.keys()
    for name, line in lines:
        row = rows[name]
        _, _, mean, spread, runs, position, tables, total, time = (
            cell.strip() for cell in line.split("|")
        )
        accuracies = [100 * run["test_accuracy"] for run in row["seeds"].values()]
        assert mean == f"{np.mean(accuracies):.1f}"
        assert spread == f"{min(accuracies):.1f} – {max(accuracies):.1f}"
        assert int(runs) == len(row["seeds"])
        assert [int(n.replace(",", "")) for n in (position, tables, total)] == [
            row["position_parameters"],
            row["table_parameters"],
            row["parameters"],
        ]
        assert time == f"{min(run['milliseconds_per_step'] for run in row['seeds'].values()):.1f}"


def test_the_accuracy_is_that_of_a_run_of_the_train_command(finished, tmp_path):
    run = tmp_path / "run"
    options = [option for option in SMALL if option.startswith(("--model", "--training"))]
    config = ["--config", str(compare.CONFIG), "--visualization.enabled=false"]
    train = ["--backend=torch", "--run", str(run), *config, *options, "--training.seed=1"]
    assert train_main(train) == 0
    found = json.loads((finished / "results.json").read_text())["rows"]["2d"]["seeds"]["1"]
    assert json.loads((run / "evaluation_test.json").read_text())["accuracy"] == found["test_accuracy"]


def test_what_is_tested_is_the_best_checkpoint(finished, tmp_path, monkeypatch):
    """The test fails if the trainer's last weights or the last checkpoint are evaluated instead."""
    train = compare.train

    def spoiled(run, dataset, trainer, progress):
        train(run, dataset, trainer, progress)
        arrays, state = trainer.state_dict()
        trainer.load_state_dict({name: 0 * array for name, array in arrays.items()}, state)
        (run.folder / "last.safetensors").unlink()

    monkeypatch.setattr(compare, "train", spoiled)
    assert start(tmp_path, "--schemes=2d", "--seeds=1,") == 0
    assert accuracies(tmp_path)["2d"] == accuracies(finished)["2d"][1:]


def test_interrupted_it_goes_on_with_what_is_missing(finished, tmp_path, monkeypatch):
    trained, train = [], compare.train

    def interrupted(run, *more):
        if len(trained) == 1:
            raise KeyboardInterrupt
        return counted(run, *more)

    def counted(run, *more):
        trained.append((run.config.relative_position.position, run.config.training.seed))
        return train(run, *more)

    monkeypatch.setattr(compare, "train", interrupted)
    assert start(tmp_path) == 130
    assert seeds_of(tmp_path) == {"none": ["0"]}
    monkeypatch.setattr(compare, "train", counted)
    assert start(tmp_path) == 0
    assert trained == [("none", 0), ("relative", 0), ("none", 1), ("relative", 1)]
    assert accuracies(tmp_path) == accuracies(finished)
    assert start(tmp_path) == 0
    assert len(trained) == 4


@pytest.mark.parametrize(
    ("option", "named"),
    [
        ("--training.epochs=2", "training.epochs 1, but now it is 2"),
        ("--model.embed_dim=32", "model.embed_dim 16, but now it is 32"),
        ("--data.split_seed=1", "data.split_seed 0, but now it is 1"),
        ("--backend=numpy", "backend torch, but now it is numpy"),
    ],
)
def test_other_settings_are_not_mixed_in(finished, capsys, option, named):
    before = (finished / "results.json").read_bytes()
    assert named in refused(capsys, finished, option)
    assert (finished / "results.json").read_bytes() == before


def test_a_row_that_means_something_else_now_is_not_mixed_in(finished, capsys, monkeypatch):
    changed = ROWS["2d"]._replace(settings=ROWS["2d"].settings | {"bias_type": "levit"})
    monkeypatch.setitem(ROWS, "2d", changed)
    assert "2d.bias_type 2d, but now it is levit" in refused(capsys, finished)


@pytest.mark.parametrize(
    ("option", "named"),
    [
        ("--schemes=2d,3d", "--schemes has 3d"),
        ("--seeds=0", "--seeds is '0', expected 1 to 1000 seeds; the seed 0 alone is '0,'"),
        ("--seeds=00", "--seeds is '00'"),
        ("--seeds=100000", "expected 1 to 1000 seeds"),
        ("--seeds=", "--seeds is ''"),
        ("--seeds=1,x", "--seeds is '1,x'"),
        ("--training.seed=1", "--training.seed=1 differs from run to run"),
        ("--relative_position.bias_type=t5", "--relative_position.bias_type=t5 differs"),
        ("--model.patch_size=3", "patch_size"),
    ],
)
def test_a_wrong_option_is_one_line_and_leaves_nothing(tmp_path, capsys, option, named):
    assert named in refused(capsys, tmp_path / "out", option)
    assert not (tmp_path / "out").exists()


def test_a_swin_is_not_compared(tmp_path, capsys):
    config = str(compare.CONFIG.parent / "digits_swin.yaml")
    with pytest.raises(SystemExit) as stop:
        compare.main(["--out", str(tmp_path / "out"), "--config", config])
    assert stop.value.code == 2
    assert "model.name is swin, but here the schemes of a vit" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_settings_of_a_vit_are_those_of_the_results_on_record():
    """The options of other models are not among them, so older results can still be added to."""
    parser = compare.parser_for("test", "")
    compare.add_sections(parser)
    config = compare.to_config(parser.parse_args(["--config", str(compare.CONFIG)]))
    on_record = compare.CONFIG.parents[1] / "docs" / "results" / "digits" / "results.json"
    expected = json.loads(on_record.read_text())["settings"]
    found = compare._settings(compare._common("torch", config))
    found["training"]["device"] = expected["training"]["device"]
    assert found == expected


def test_a_file_in_the_place_of_the_folder_is_one_line(tmp_path, capsys):
    (tmp_path / "out").write_text("")
    assert "File exists" in refused(capsys, tmp_path / "out")


@pytest.mark.parametrize("text", ["", "[]", '{"settings": {}}', '{"rows": 1}'])
def test_a_damaged_file_of_results_is_named(tmp_path, capsys, text):
    (tmp_path / "results.json").write_text(text)
    assert "results.json" in refused(capsys, tmp_path)


def test_seeds_are_a_number_or_a_list():
    assert compare._seeds("3") == [0, 1, 2]
    assert compare._seeds("3,") == [3]
    assert compare._seeds("0,") == [0]
    assert compare._seeds("4,7,4") == [4, 7]


def test_manhattan_counts_steps_between_patches():
    distance = np.array(manhattan((2, 3)))
    np.testing.assert_array_equal(distance[0].reshape(2, 3), [[0, 1, 2], [1, 2, 3]])
    np.testing.assert_array_equal(distance, distance.T)
    assert settings_of(ROWS["custom"], (2, 3))["rpb_kwargs"]["index"] == distance.tolist()


def test_the_time_of_a_step_leaves_the_first_ones_out():
    assert results.typical([9.0] * 5 + [1.0, 1.0, 2.0]) == 1000
    assert results.typical([0.5]) == 500


def test_the_best_mean_is_on_top_and_of_equals_the_smaller():
    def row(mean, parameters):
        return {"test_accuracy": {"mean": mean}, "position_parameters": parameters}

    found = {"rows": {"a": row(0.5, 9), "b": row(0.7, 9), "c": row(0.7, 0)}}
    assert [name for name, _ in page.ranked(found)] == ["c", "b", "a"]
