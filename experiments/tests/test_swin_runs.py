"""Runs of a Swin: both versions and both twins resume to the same bits; every command takes them."""

import re

import numpy as np
import pytest
from PIL import Image
from small_runs import BACKENDS, SMALL_SWIN, assert_same_run, in_float64, rows_of

import numpy_ref
import torch_impl
from experiments import checkpoint, runs
from experiments.build import build_trainer
from experiments.config import (
    Config,
    DataConfig,
    ModelConfig,
    RelativePositionConfig,
    VisualizationConfig,
    load_config,
)
from experiments.data.summary import Summary
from experiments.evaluate import main as evaluate
from experiments.export import main as export
from experiments.inference import load_model
from experiments.predict import main as predict
from experiments.resize import main as resize
from experiments.resize import resized_model
from experiments.train import main
from experiments.training_config import TrainingConfig
from experiments.visualize import main as visualize
from parity_tests import budget

VERSIONS = ["swin", "swinv2"]


@pytest.fixture(scope="module")
def swins(tmp_path_factory):
    """Train a small run of each version with each twin and return {(version, backend): folder}."""
    base, found = tmp_path_factory.mktemp("swins"), {}
    for version in VERSIONS:
        for backend in BACKENDS:
            folder = found[version, backend] = base / f"{version}-{backend}"
            assert start(folder, version, backend) == 0
    return found


def start(folder, version, backend, *more):
    return main(
        ["--backend", backend, "--run", str(folder), "--model.name", version, *SMALL_SWIN, *more]
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_both_twins_log_the_same_lines(swins, version):
    ours, theirs = ((swins[version, backend] / "log.txt").read_text() for backend in BACKENDS)
    number = r"\d+\.\d+(?:e[+-]\d+)?"
    assert re.sub(number, "#", ours) == re.sub(number, "#", theirs)
    ours, theirs = (np.array(re.findall(number, log), float) for log in (ours, theirs))
    assert np.abs(ours - theirs).max() < 0.005


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("version", VERSIONS)
def test_an_interrupted_run_resumes_to_the_same_bits(swins, version, backend, tmp_path, monkeypatch):
    folder, save = tmp_path / "r", runs.save

    def interrupted(*arguments):
        save(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "save", interrupted)
    assert start(folder, version, backend) == 130
    monkeypatch.setattr(runs, "save", save)
    assert len(rows_of(folder)) == 1
    assert main(["--resume", str(folder)]) == 0
    assert_same_run(folder, swins[version, backend])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("version", VERSIONS)
def test_the_other_twin_takes_the_run(swins, version, backend, tmp_path, capsys):
    """Logits and attention agree; evaluate, predict and visualize take --backend."""
    folder = swins[version, backend]
    run = runs.open_run(folder)
    own, other = (runs.load(run, twin) for twin in BACKENDS)
    images = runs.dataset_of(run).test.images
    np.testing.assert_array_less(np.abs(own.predict(images) - other.predict(images)), 1e-4)
    maps = zip(own.attention_maps(images[:3]), other.attention_maps(images[:3]), strict=True)
    for number, (a, b) in enumerate(maps):
        assert a.shape == ((12, 2, 4, 4) if number < 2 else (3, 4, 4, 4))
        np.testing.assert_array_less(np.abs(a - b), 1e-5)
    accuracies = []
    Image.fromarray(np.full((8, 8), 128, np.uint8)).save(tmp_path / "grey.png")
    capsys.readouterr()
    for twin in BACKENDS:
        assert evaluate([str(folder), "--backend", twin]) == 0
        assert predict([str(folder), str(tmp_path / "grey.png"), "--backend", twin]) == 0
        accuracies.append(re.sub(r"0\.\d+", "#", capsys.readouterr().out))
    assert accuracies[0] == accuracies[1]
    (other,) = set(BACKENDS) - {backend}
    assert visualize([str(folder), "--backend", other]) == 0
    drawn = {path.stem for path in (folder / "pictures").iterdir()}
    biases = {f"bias_layers_{stage}_blocks_{n}" for stage in range(2) for n in range(2)}
    assert drawn == biases | {"attention", "confusion", "curves", "one_query"}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_stored_config_is_that_of_the_run(swins, version):
    """Defaults are filled in by the time the file is written, and reading it changes nothing."""
    config = load_config(swins[version, "numpy"] / "config.yaml")
    assert (config.model.name, config.model.depths, config.model.num_heads) == (version, [2, 2], [2, 4])
    assert (config.model.depth, config.model.norm_eps, config.model.num_blocks) == (None, 1e-5, 4)
    assert config.relative_position.bias_type == ("2d" if version == "swin" else "log_cpb")
    model = runs.load(runs.open_run(swins[version, "numpy"])).model
    (scheme, *_) = model.rel_pos_biases().values()
    assert scheme.bias_type == config.relative_position.bias_type
    cosine = "layers.0.blocks.0.attn.logit_scale" in model.state_dict()
    assert cosine == config.model.has_cosine_attention == (version == "swinv2")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_run_is_resized(swins, version, tmp_path, capsys):
    """Windows that stay as they are keep their weights; the new run is evaluated and trains on."""
    new = tmp_path / "new"
    assert resize([str(swins[version, "numpy"]), "--image-size=16", f"--out={new}", "--epochs=1"]) == 0
    before, after = (runs.load(runs.open_run(f)).model for f in (swins[version, "numpy"], new))
    assert after.patch_embed.grid_size == (8, 8)
    kept = "layers.0.blocks.0.attn.rel_pos and 3 more: copied, the window stays (2, 2)"
    assert kept in capsys.readouterr().out
    for name, a in before.state_dict().items():
        np.testing.assert_array_equal(after.state_dict()[name], a, err_msg=name)
    for name, scheme in before.rel_pos_biases().items():
        np.testing.assert_array_equal(after.rel_pos_biases()[name](), scheme())
    assert evaluate([str(new), "--backend=torch"]) == 0
    assert main(["--resume", str(new)]) == 0


def test_a_window_that_grows_with_its_map_is_interpolated(tmp_path):
    """At 8 pixels the second stage has a map of 2x2 tokens, at 16 the whole window."""
    folder, new = tmp_path / "run", tmp_path / "new"
    assert start(folder, "swin", "numpy", "--model.window_size=4", "--training.epochs=1") == 0
    assert resize([str(folder), "--image-size=16", f"--out={new}", "--method=linear"]) == 0
    (before, _), (after, _) = (checkpoint.load(f / "best.safetensors") for f in (folder, new))
    key = "model.layers.1.blocks.1.attn.rel_pos.relative_position_bias_table"
    assert before[key].shape == (9, 4)
    np.testing.assert_array_equal(
        after[key], numpy_ref.resize_table(before[key], (2, 2), (4, 4), "linear")
    )


def test_stages_whose_coordinates_have_different_scales(tmp_path):
    """A config has the window of each stage before, and the bias of the offsets of old is the same."""
    folder, new = tmp_path / "run", tmp_path / "new"
    assert start(folder, "swinv2", "numpy", "--model.window_size=4", "--training.epochs=1") == 0
    assert resize([str(folder), "--image-size=16", f"--out={new}"]) == 0
    assert runs.open_run(new).config.model.pretrained_window_sizes == [[4, 4], [2, 2]]
    before, after = (runs.load(runs.open_run(f)).model.rel_pos_biases() for f in (folder, new))
    for name, scheme in before.items():
        old = {"q_size": scheme.window_size, "k_size": scheme.window_size}
        np.testing.assert_array_equal(after[name](**old), scheme(), err_msg=name)


def test_a_config_of_before_is_a_vit(tmp_path):
    """A config.yaml without a name, with the options that every run stored then."""
    path = tmp_path / "config.yaml"
    path.write_text(
        "model: {patch_size: 2, embed_dim: 64, depth: 4, num_heads: 4, mlp_ratio: 4.0, qkv_bias: true,"
        " global_pool: avg, cosine_attention: false, drop_rate: 0.0, attn_drop_rate: 0.0,"
        " drop_path_rate: 0.1, init_values: null, norm_eps: 1.0e-06, dtype: float32}\n"
        "relative_position: {position: absolute, bias_type: 2d}\n"
    )
    assert load_config(path).model == ModelConfig(drop_path_rate=0.1)
    assert "depths" not in ModelConfig().options()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("window", "position"), [(3, "relative"), ([2, 9], "relative"), (3, "none")])
def test_the_first_step_on_other_images(version, window, position):
    """A step of float64 in both twins on 16x10 images: 8x5, 4x3 and 2x2 tokens, odd and small maps."""
    config = Config(
        ModelConfig(version, embed_dim=8, depths=[1, 2, 1], num_heads=[1, 2, 4], window_size=window),
        RelativePositionConfig(position),
        TrainingConfig(),
        VisualizationConfig(),
        DataConfig(),
    )
    config.model.dtype = "float64"
    moments = {"mean": np.zeros(3, np.float32), "std": np.ones(3, np.float32)}
    counts = {"train": 8, "val": 1, "test": 1}
    summary = Summary("images", ("a", "b", "c"), (3, 16, 10), counts=counts, **moments)
    rng = np.random.default_rng(0)
    images, labels = rng.standard_normal((8, 3, 16, 10)), rng.integers(0, 3, 8)
    ours, theirs = (build_trainer(twin, config, summary) for twin in BACKENDS)
    a, b = ours.train_step(images, labels), theirs.train_step(images, labels)
    assert budget.float64("loss", a.loss, b.loss).ok
    assert budget.float64("grad_norm", a.grad_norm, b.grad_norm).ok
    assert bool(ours.model.rel_pos_biases()) == (position == "relative")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_swin_is_exported_for_both_twins(version, swins, tmp_path):
    """The folder classifies as the run does."""
    assert export([str(swins[version, "numpy"]), str(tmp_path / "model")]) == 0
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8), np.uint8)
    expected = in_float64(load_model(swins[version, "numpy"])).classify(pixels)
    for twin in (numpy_ref, torch_impl):
        model = twin.SwinTransformer.from_pretrained(tmp_path / "model", "float64")
        names, probabilities = model.classify(pixels)
        assert budget.float64("probabilities", expected.probabilities, probabilities).ok
        assert names == expected.names


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("version", VERSIONS)
def test_a_run_gets_another_window(swins, tmp_path, version, backend):
    run, new = swins[version, backend], tmp_path / "new"
    sizes = ["--image-size=24", "--window-size=4"]
    assert resize([str(run), *sizes, "--epochs=1", "--out", str(new)]) == 0
    before, after = (load_model(folder) for folder in (run, new))
    schemes = before.rel_pos_biases(), after.rel_pos_biases()
    assert [s.window_size for s in schemes[1].values()] == [(4, 4)] * 4
    for name, scheme in schemes[0].items():
        for key, value in scheme.resized((4, 4)).state.items():
            np.testing.assert_array_equal(schemes[1][name].state_dict()[key], value, err_msg=name)


@pytest.mark.parametrize("twin", [numpy_ref, torch_impl])
def test_stages_of_different_windows_keep_their_coordinates(twin):
    """A stage with a smaller window keeps its own scale: the bias of shared offsets is the same."""
    sizes = {"embed_dim": 8, "depths": (2, 1), "num_heads": (1, 2), "in_chans": 1, "patch_size": 2}
    old = twin.SwinTransformer(2, img_size=12, window_size=6, num_classes=3, **sizes)
    new = resized_model(old, img_size=24, window_size=8)
    biases = [model.rel_pos_biases() for model in (old, new)]
    windows = [[s.window_size for s in found.values()] for found in biases]
    assert windows == [[(6, 6), (6, 6), (3, 3)], [(8, 8), (8, 8), (6, 6)]]
    for name, scheme in biases[0].items():
        n = scheme.window_size
        same, other = (np.asarray(b[name](q_size=n, k_size=n).tolist()) for b in biases)
        np.testing.assert_array_equal(other, same, err_msg=name)
    assert new.arguments["pretrained_window_sizes"] == [[6, 6], [3, 3]]
