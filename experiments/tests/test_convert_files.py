"""The converter's command, and what it writes: whole, or not at all."""

import errno
import json
import os

import numpy as np
import pytest
from checkpoints import checkpoint
from convert_files import assert_same, floats, safetensors
from small_runs import refused

from experiments.convert import convert
from experiments.convert.__main__ import main
from experiments.convert.reading import read


def test_a_folder_for_here_is_a_model_of_both_twins(tmp_path, swin_file):
    import numpy_ref
    import torch_impl

    report = convert(swin_file, tmp_path / "model", "here")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["arguments"] == report.arguments.values
    state = read(tmp_path / "model")[0]
    for twin in (numpy_ref, torch_impl):
        model = twin.SwinTransformer.from_pretrained(tmp_path / "model")
        found = {name: np.asarray(array) for name, array in model.state_dict().items()}
        assert found.keys() == state.keys()
        assert all(np.array_equal(found[name], state[name].array) for name in state)
    convert(tmp_path / "model", tmp_path / "back.safetensors", "timm")
    assert_same(read(tmp_path / "back.safetensors")[0], floats())


def test_the_command_says_what_it_did(tmp_path, capsys, swin_file):
    out = tmp_path / "out.safetensors"
    assert main([str(swin_file), str(out), "--to", "torchvision"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("swin: timm -> torchvision\nmapped   50 tensors\n")
    both = "attn.qkv.{weight,bias}"
    assert f"  layers.*.blocks.*.{both}  6 tensors\n    -> features.*.*.{both}\n" in printed
    assert "made     3 tensors\n  features.*.*.attn.relative_position_index  3 tensors" in printed
    out.rename(tmp_path / "in.safetensors")
    main([str(tmp_path / "in.safetensors"), str(out), "--to", "timm"])
    assert "dropped  3 tensors\n  features.*.*.attn.relative_position_index" in capsys.readouterr().out


def test_what_is_left_over_has_to_be_allowed(tmp_path, unconverted, capsys):
    source = safetensors(
        tmp_path / "a.safetensors", floats() | {"mask_token": checkpoint("swin", "timm")["norm.bias"]}
    )
    assert "1 left over of swin from timm to here: mask_token; allow" in unconverted(source)
    assert "1 left over" in unconverted(source, "--allow", "mask", "*_tokens")
    assert main([str(source), str(tmp_path / "b.safetensors"), "--to", "here", "--allow", "mask_*"]) == 0
    assert "left over, allowed 1 tensor\n  mask_token" in capsys.readouterr().out
    assert "mask_token" not in read(tmp_path / "b.safetensors")[0]
    convert(source, tmp_path / "c.safetensors", "here", allow="mask_token")


def test_where_it_cannot_be_written(tmp_path, swin_file, capsys):
    def refuse(source, out, to="here"):
        return refused(capsys, main, [str(source), str(out), "--to", to])

    before = swin_file.read_bytes()
    assert "is the file to read, expected a new name" in refuse(swin_file, swin_file)
    (tmp_path / "there.safetensors").write_text("kept")
    assert "exists, expected a new name" in refuse(swin_file, tmp_path / "there.safetensors")
    assert "expected a name that ends in .safetensors" in refuse(
        swin_file, tmp_path / "a.pth", "torchvision"
    )
    assert "is no folder" in refuse(swin_file, tmp_path / "no" / "a.safetensors")
    assert "is no folder" in refuse(swin_file, swin_file / "a.safetensors")
    (tmp_path / "folder").mkdir()
    assert "exists, expected a new name" in refuse(swin_file, tmp_path / "folder")
    assert swin_file.read_bytes() == before
    assert (tmp_path / "there.safetensors").read_text() == "kept"
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "folder",
        "swin.safetensors",
        "there.safetensors",
    ]


@pytest.mark.parametrize(
    ("out", "failing"),
    [
        ("model.safetensors", "fsync"),
        ("model.safetensors", "replace"),
        ("model", "fsync"),
        ("model", "replace"),
        ("model", "rename"),
    ],
)
def test_when_the_disk_is_full(tmp_path, swin_file, capsys, monkeypatch, out, failing):
    """Whichever step fails, nothing is left; then the same command works, also beside an old remnant."""

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    argv = [str(swin_file), str(tmp_path / out), "--to", "here"]
    before = sorted(tmp_path.iterdir())
    with monkeypatch.context() as broken:
        broken.setattr(os, failing, full)
        assert "No space left on device" in refused(capsys, main, argv)
    assert sorted(tmp_path.iterdir()) == before
    if out == "model":
        (tmp_path / "model.part").mkdir()
    assert main(argv) == 0
    assert sorted(tmp_path.iterdir()) == sorted([*before, tmp_path / out])


def test_options_that_do_not_fit(unconverted, swin_file):
    assert "--image-size is [1, 2, 3], expected one or two positive integers" in unconverted(
        swin_file, "--image-size", "1", "2", "3"
    )
    assert "--family" in unconverted(swin_file, "--family", "nothing")
    assert "from is 'torchvision', expected one of here, timm" in unconverted(
        swin_file, "--family", "relpos", "--from", "torchvision"
    )
    assert "no position tables of beit among its names" in unconverted(swin_file, "--family", "beit")
    assert "has timm's names of swin already" in unconverted(swin_file, to="timm")
    assert "the table of layers.0 has 49 rows, expected the 25 of 3x3" in unconverted(
        swin_file, "--window-size", "3", to="torchvision"
    )
