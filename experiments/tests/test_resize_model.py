"""experiments.resize with the folder of a model in place of a run."""

import json

import numpy as np
import pytest
from small_runs import BACKENDS, refused

import numpy_ref
import torch_impl
from experiments.resize import main

SWIN = {"embed_dim": 8, "depths": (1, 2), "num_heads": (1, 2), "in_chans": 1, "patch_size": 2}


def swin(twin=numpy_ref, version=1, **options):
    model = twin.SwinTransformer(
        version,
        img_size=8,
        window_size=2,
        num_classes=3,
        generator=np.random.default_rng(0),
        **SWIN,
        **options,
    )
    model.preprocessing = {"mean": [0.25], "std": [0.5], "crop_pct": 0.9}
    model.classes = ["ant", "bee", "fly"]
    return model


@pytest.fixture
def saved(tmp_path):
    """Return saved(model): its folder."""

    def save(model):
        model.save_pretrained(tmp_path / "old")
        return str(tmp_path / "old")

    return save


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("method", ["bicubic", "geometric", "linear"])
def test_the_new_folder_holds_the_resized_model(saved, tmp_path, backend, method, capsys):
    model, out = swin(), tmp_path / "new"
    sizes = ["--image-size", "12", "24", "--window-size", "3", f"--method={method}"]
    assert main([saved(model), *sizes, f"--out={out}", f"--backend={backend}"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"images  12x24 instead of 8x8, method {method}"
    table = "relative_position_bias_table"
    assert said[1] == f"layers.0.blocks.0.attn.rel_pos and 2 more: interpolated {table}"
    assert said[2:] == [f"model   {out}"]
    new = numpy_ref.from_pretrained(out)
    assert new.arguments["img_size"] == [12, 24]
    assert new.arguments["window_size"] == 3
    assert new.preprocessing == {
        "image_size": [12, 24],
        "in_chans": 1,
        "mean": [0.25],
        "std": [0.5],
        "crop_pct": 0.9,
    }
    assert new.classes == model.classes
    state = new.state_dict()
    for name, array in model.state_dict().items():
        expected = array
        if name.endswith(table):
            expected = numpy_ref.resize_table(array, (2, 2), (3, 3), method)
        np.testing.assert_array_max_ulp(state[name], expected)


def test_coordinates_keep_their_window_and_the_report_asks_for_nothing(saved, tmp_path, capsys):
    out = tmp_path / "new"
    more = ["--image-size=16", "--window-size=4", f"--out={out}"]
    assert main([saved(swin(version=2)), *more]) == 0
    said = capsys.readouterr().out.splitlines()[1]
    assert said.endswith(
        "and 2 more: nothing to interpolate: the parameters do not depend on the window; "
        "with pretrained_window_size=(2, 2)"
    )
    again = tmp_path / "again"
    assert main([str(out), "--image-size=24", "--window-size=6", f"--out={again}"]) == 0
    assert capsys.readouterr().out.splitlines()[1] == said
    assert numpy_ref.from_pretrained(again).arguments["rpb_kwargs"] == {"pretrained_window_size": [2, 2]}


def test_half_precision_stays_so_in_pytorch(saved, tmp_path):
    folder, out = saved(swin(torch_impl, dtype="float16")), tmp_path / "new"
    assert main([folder, "--image-size=16", f"--out={out}", "--backend=torch"]) == 0
    assert json.loads((out / "config.json").read_text())["arguments"]["dtype"] == "float16"


VIT = {"img_size": 8, "patch_size": 2, "in_chans": 1, "embed_dim": 8, "depth": 1, "num_heads": 2}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--window-size", "2"], "the window of a VisionTransformer is its whole grid of patches"),
        (["--epochs", "2"], "is a model, and --epochs is for a run"),
        (["--lr", "0.1"], "is a model, and --lr is for a run"),
        (["--checkpoint", "last"], "is a model, and --checkpoint is for a run"),
        (["--image-size", "9"], "img_size (9, 9) is not divisible"),
        (["--image-size", "8", "8", "8"], "img_size is [8, 8, 8]"),
        (["--method", "nearest"], "method is 'nearest'"),
    ],
)
def test_bad_options_are_one_line_and_write_nothing(saved, tmp_path, more, message, capsys):
    folder, out = saved(numpy_ref.VisionTransformer(num_classes=3, **VIT)), tmp_path / "new"
    line = refused(capsys, main, [folder, "--image-size", "12", *more, f"--out={out}"])
    assert message in line
    assert not out.exists()


def test_the_new_folder_is_named_and_new(saved, tmp_path, capsys):
    folder = saved(numpy_ref.VisionTransformer(num_classes=3, **VIT))
    assert "is a model: --out is required" in refused(capsys, main, [folder, "--image-size=12"])
    before = sorted(tmp_path.rglob("*"))
    assert "exists" in refused(capsys, main, [folder, "--image-size=12", f"--out={folder}"])
    assert sorted(tmp_path.rglob("*")) == before


def test_a_damaged_model_is_one_line(saved, tmp_path, capsys):
    folder = saved(numpy_ref.VisionTransformer(num_classes=3, **VIT))
    path = tmp_path / "old" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    line = refused(capsys, main, [folder, "--image-size=12", f"--out={tmp_path / 'new'}"])
    assert "has changed since it was written" in line
