"""Bad input gives one clear line and exit code 2 before anything is written; --help explains all."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from small_runs import refused

from experiments import config as cfg
from experiments.train import main
from numpy_ref import kernels

ROOT = Path(__file__).parents[2]

SWIN = ["--model.name", "swin"]
BAD = {
    "unknown option": (["--model.widht", "3"], "--model.widht"),
    "wrong type": (["--training.epochs", "many"], "training.epochs"),
    "not a choice": (["--data.name", "cifar"], "data.name"),
    "unknown backend": (["--backend", "jax"], "jax"),
    "heads": (["--model.embed_dim", "65"], "embed_dim 65 is not divisible by num_heads 4"),
    "patch": (["--model.patch_size", "3"], "not divisible by patch_size"),
    "scheme": (["--relative_position.bias_type", "5d"], "bias_type is '5d'"),
    "scheme option": (["--relative_position.rpb_kwargs", "{buckets: 3}"], "has no option buckets"),
    "window": (["--relative_position.window_size", "7"], "grid of (4, 4)"),
    "options without a bias": (["--model.drop_rate", "1.5"], "drop_rate is 1.5"),
    "learning rate": (["--training.lr", "-1"], "training.lr is -1"),
    "smoothing": (["--training.label_smoothing", "1"], "training.label_smoothing is 1"),
    "layer": (["--visualization.layer", "4"], "visualization.layer is 4"),
    "no config": (["--config", "nowhere.yaml"], "nowhere.yaml"),
    "no data": (["--data.name", "mnist", "--data.root", "/nowhere"], "/nowhere"),
    "no run": (["--resume", "/nowhere"], "/nowhere is not a run: there is no such folder"),
    "resume and more": (["--resume", "x", "--training.epochs", "3"], "--training.epochs"),
    "no micro-batch": (["--training.accumulate", "0"], "training.accumulate is 0"),
    "micro-batches of nothing": (
        ["--training.accumulate", "9", "--training.batch_size", "8"],
        "training.accumulate is 9, expected at most batch_size 8",
    ),
    "an average that stands still": (["--training.ema_decay", "1"], "training.ema_decay is 1"),
    "unknown precision": (["--training.precision", "fp8"], "training.precision"),
    "half of float64": (
        ["--training.precision", "bf16", "--model.dtype", "float64", "--backend=torch"],
        "training.precision is bf16, but model.dtype is float64",
    ),
    "half in numpy": (["--training.precision", "fp16"], "the NumPy twin has only 'fp32'"),
    "compiled numpy": (["--training.compile", "true"], "the NumPy twin has only False"),
    "fused numpy": (["--training.attention", "sdpa"], "the NumPy twin has only None"),
    "unknown attention": (["--training.attention", "flash"], "training.attention"),
    "not finite": (["--training.clip_norm", ".nan"], "training.clip_norm is nan"),
    "infinite": (["--training.weight_decay", ".inf"], "training.weight_decay is inf"),
    "rates crossed": (["--training.min_lr", "1"], "training.min_lr is 1.0"),
    "depth": (["--model.depth", "0"], "model.depth is 0"),
    "ratio": (["--model.mlp_ratio", "0"], "model.mlp_ratio is 0"),
    "too big": (["--model.embed_dim", "1000000000000"], "at most 2147483647"),
    "too big for memory": (["--model.embed_dim", "1000000000"], "allocate"),
    "crops of digits": (["--data.crop_scale", "[0.1, 1.0]"], "only for a folder that is streamed"),
    "crops in memory": (
        ["--data.name", "folder", "--data.rand_augment", "[2, 9]", "--data.streaming", "false"],
        "only for a folder that is streamed",
    ),
    "crops of nothing": (["--data.crop_scale", "[0.0, 1.0]"], "data.crop_scale is [0.0, 1.0]"),
    "crops of more": (["--data.crop_scale", "[0.1, 1.1]"], "data.crop_scale is [0.1, 1.1]"),
    "a crop's ratio": (["--data.crop_ratio", "[1.5, 0.5]"], "data.crop_ratio is [1.5, 0.5]"),
    "one ratio": (["--data.crop_ratio", "[1.0]"], "data.crop_ratio is [1.0]"),
    "no ratio": (["--data.crop_ratio", "[.nan, 2.0]"], "data.crop_ratio is [nan, 2.0]"),
    "magnitude": (["--data.rand_augment", "[2, 11]"], "data.rand_augment is [2, 11]"),
    "no operation": (["--data.rand_augment", "[0, 9]"], "data.rand_augment is [0, 9]"),
    "one number": (["--data.rand_augment", "[9]"], "data.rand_augment is [9]"),
    "erasing": (["--data.random_erasing", "1.5"], "data.random_erasing is 1.5"),
    "mixup": (["--data.mixup", "-1"], "data.mixup is -1"),
    "cutmix": (["--data.cutmix", "-1"], "data.cutmix is -1"),
    "workers": (["--data.workers", "-1"], "data.workers is -1"),
    "streamed digits": (["--data.streaming", "true"], "only for a folder's images, not for digits"),
    "no streaming": (["--data.streaming", "maybe"], "data.streaming"),
    "kept part": (["--data.crop_pct", "1.5"], "crop_pct: expected a number in (0, 1]"),
    "mean alone": (["--data.mean", "[0.5]"], "mean, std: expected both"),
    "channels": (
        ["--data.mean", "[0.5, 0.5, 0.5]", "--data.std", "[0.5, 0.5, 0.5]"],
        "mean: expected 1 numbers, one per channel",
    ),
    "shift": (["--data.max_shift", "8"], "data.max_shift is 8"),
    "option twice": (["--relative_position.rpb_kwargs", "{bias_type: t5}"], "rpb_kwargs has bias_type"),
    "option of the model": (
        ["--relative_position.rpb_kwargs", "{dtype: float64}"],
        "rpb_kwargs has dtype",
    ),
    "options for nothing": (
        ["--relative_position.position", "none", "--relative_position.rpb_kwargs", "{num_buckets: 4}"],
        "position is 'none'",
    ),
    "device": (["--training.device", "cuda"], "'cuda'"),
    "model": (["--model.name", "mlp"], "model.name"),
    "a swin's option": (["--model.window_size", "2"], "model.window_size 2, but a vit has no such"),
    "a swin's depths": (["--model.depths", "[2]"], "model.depths [2], but a vit has no such"),
    "heads by stage": (["--model.num_heads", "[2]"], "num_heads is [2], expected one number"),
    "a vit's option": ([*SWIN, "--model.depth", "3"], "model.depth 3, but a swin has no such option"),
    "a vit's false": ([*SWIN, "--model.cosine_attention", "false"], "model.cosine_attention False"),
    "a vit's file": (
        ["--config", str(ROOT / "configs/rpb_config.yaml"), *SWIN],
        "model.depth 4, model.global_pool avg, but",
    ),
    "one number of heads": ([*SWIN, "--model.num_heads", "4"], "num_heads is 4, expected a list"),
    "heads and stages": ([*SWIN, "--model.num_heads", "[2]"], "num_heads is [2], expected 2"),
    "no stages": ([*SWIN, "--model.depths", "[]"], "model.depths is []"),
    "an empty stage": ([*SWIN, "--model.depths", "[2, 0]"], "model.depths is [2, 0]"),
    "a window of nothing": ([*SWIN, "--model.window_size", "0"], "window_size is 0"),
    "a swin's position": (
        [*SWIN, "--relative_position.position", "absolute"],
        "position is absolute, expected relative or none for a swin",
    ),
    "a shared bias": (
        [*SWIN, "--relative_position.position", "shared_relative"],
        "position is shared_relative, expected",
    ),
    "two windows": (
        [*SWIN, "--relative_position.window_size", "2"],
        "relative_position.window_size is 2, but the window of a swin is model.window_size",
    ),
    "a swin's layer": ([*SWIN, "--visualization.layer", "4"], "visualization.layer is 4"),
}


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Call a kernel first, so that the line about its compilation is in no test's output."""
    kernels.squared_norm(np.ones(1, np.float32))


@pytest.mark.parametrize(("arguments", "expected"), BAD.values(), ids=BAD)
def test_one_clear_line_and_exit_code_two(arguments, expected, capsys, tmp_path):
    run = [] if "--resume" in arguments else ["--run", str(tmp_path / "run")]
    with pytest.raises(SystemExit) as stop:
        main([*arguments, *run])
    printed = capsys.readouterr()
    assert stop.value.code == 2
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert expected in printed.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model: {widht: 3}", "widht"),
        ("training: {epochs: many}", "training.epochs"),
        ("colour: red", "colour"),
        ("model: [", "parsing config"),
        ("training: [1]", "training"),
    ],
)
def test_a_bad_file_is_one_line_too(text, expected, capsys, tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(SystemExit) as stop:
        main(["--config", str(path), "--run", str(tmp_path / "run")])
    printed = capsys.readouterr()
    assert stop.value.code == 2
    assert printed.err.count("\n") == 1
    assert expected in printed.err


@pytest.mark.parametrize("given", [["--config", "{}"], ["--config={}"]])
@pytest.mark.parametrize("first", [True, False])
def test_an_option_overrides_the_file_wherever_it_is(given, first, tmp_path, capsys):
    path = tmp_path / "one.yaml"
    path.write_text("training: {epochs: 3}\nmodel: {embed_dim: 64}\n")
    given, options = [part.format(path) for part in given], ["--model.embed_dim", "65"]
    line = refused(capsys, main, given + options if first else options + given)
    assert "embed_dim 65 is not divisible by num_heads 4" in line


def test_an_empty_section_means_its_defaults(tmp_path):
    path = tmp_path / "empty.yaml"
    path.write_text("model:\ntraining: {epochs: 3}\n")
    config = cfg.load_config(path)
    assert (config.model, config.training.epochs) == (cfg.ModelConfig(), 3)


def test_no_traceback_from_the_shell():
    command = [sys.executable, "-m", "experiments.train", "--model.embed_dim", "65"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["train", "evaluate", "visualize", "predict", "compare"])
def test_a_twin_that_is_not_installed_is_one_line(command, finished, tmp_path):
    """A machine without PyTorch is simulated by an import that fails."""
    arguments = {
        "train": ["--run", str(tmp_path / "run")],
        "compare": ["--out", str(tmp_path / "run")],
        "predict": [str(finished["torch"]), "x.png"],
    }.get(command, [str(finished["torch"])])
    code = f"import sys; sys.modules['torch'] = None; from experiments.{command} import main; main()"
    process = [sys.executable, "-c", code, *arguments, "--backend=torch"]
    done = subprocess.run(process, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert "pip install -r requirements.txt" in done.stderr


def test_help_explains_every_option(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    for name, section in cfg.SECTIONS.items():
        for option in dataclasses.fields(section):
            _, found, after = printed.partition(f"  --{name}.{option.name} ")
            assert found, f"{name}.{option.name} is not in --help"
            words = after.split("\n  --")[0].split("(type")[0].split()
            assert len(words) > 3, f"{name}.{option.name} is not explained"


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda p: p.name)
def test_shipped_configs_are_valid(path):
    assert cfg.load_config(path).model.embed_dim


def test_the_default_config_is_the_default(tmp_path):
    """configs/rpb_config.yaml names all five sections."""
    sections = yaml.safe_load((ROOT / "configs/rpb_config.yaml").read_text())
    assert list(sections) == list(cfg.SECTIONS)
