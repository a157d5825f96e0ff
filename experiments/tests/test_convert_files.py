"""The converter's files and its command: what is read and written, and what is refused in one line."""

import errno
import json
import os

import numpy as np
import pytest
import torch
from checkpoints import checkpoint
from small_runs import refused

from experiments.convert import convert
from experiments.convert.__main__ import main
from experiments.convert.reading import read
from experiments.convert.tensors import Tensor, numbers
from experiments.convert.writing import pack


def arrays(state):
    return {name: tensor.array for name, tensor in state.items()}


def finite(family, form):
    """Return a checkpoint without buffers, whose weights are finite."""
    state, rng = checkpoint(family, form), np.random.default_rng(0)
    return {n: Tensor("F32", rng.standard_normal(t.shape, np.float32)) for n, t in state.items()}


def floats():
    return finite("swin", "timm")


def safetensors(path, state):
    path.write_bytes(pack(state))
    return path


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert one[name].code == other[name].code
        assert one[name].array.tobytes() == other[name].array.tobytes(), name


@pytest.fixture
def swin(tmp_path):
    return safetensors(tmp_path / "swin.safetensors", floats())


@pytest.fixture
def refuse(tmp_path, capsys):
    """Return refuse(source, *arguments): the line of an error; nothing may be written."""

    def run(source, *arguments, to="here"):
        out = tmp_path / "out.safetensors"
        before = sorted(tmp_path.rglob("*"))
        line = refused(capsys, main, [str(source), str(out), "--to", to, *arguments])
        assert sorted(tmp_path.rglob("*")) == before
        return line

    return run


@pytest.mark.parametrize("code", ["F64", "F32", "F16", "BF16", "F8_E4M3", "I64", "BOOL"])
def test_a_file_of_torch_has_the_bits_of_one_of_safetensors(tmp_path, code):
    kinds = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    kinds |= {"F8_E4M3": torch.float8_e4m3fn, "I64": torch.int64, "BOOL": torch.bool}
    tensor = torch.tensor([[0.0, 1.5, -2.0], [3.0, 0.1, 1e-3]]).to(kinds[code])
    torch.save({"epoch": 3, "model": {"a.weight": tensor.T}}, tmp_path / "a.pth")
    found, remarks = read(tmp_path / "a.pth")
    assert remarks == ["from model in the file"]
    assert (found["a.weight"].code, found["a.weight"].shape) == (code, (3, 2))
    safetensors(tmp_path / "a.safetensors", found)
    assert_same(found, read(tmp_path / "a.safetensors")[0])
    from safetensors.torch import load_file

    assert torch.equal(load_file(tmp_path / "a.safetensors")["a.weight"], tensor.T)


def test_values_of_bfloat16(tmp_path):
    tensor = torch.tensor([0.0, 1.5, -2.0, 3e38], dtype=torch.bfloat16)
    torch.save({"a": tensor}, tmp_path / "a.pt")
    np.testing.assert_array_equal(numbers(read(tmp_path / "a.pt")[0]["a"]), tensor.float().numpy())


def write_shards(folder, state, index=None):
    names = sorted(state)
    parts = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, part in parts.items():
        safetensors(folder / file, {name: state[name] for name in part})
    places = {name: file for file, part in parts.items() for name in part}
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": places | (index or {})}))
    return path


def test_shards_are_read_as_one(tmp_path, swin):
    folder = tmp_path / "shards"
    folder.mkdir()
    index = write_shards(folder, floats())
    assert_same(read(folder)[0], read(swin)[0])
    assert_same(read(index)[0], read(swin)[0])


def test_a_folder_for_here_is_a_model_of_both_twins(tmp_path, swin):
    import numpy_ref
    import torch_impl

    report = convert(swin, tmp_path / "model", "here")
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


def test_the_command_says_what_it_did(tmp_path, capsys, swin):
    out = tmp_path / "out.safetensors"
    assert main([str(swin), str(out), "--to", "torchvision"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("swin: timm -> torchvision\nmapped   50 tensors\n")
    both = "attn.qkv.{weight,bias}"
    assert f"  layers.*.blocks.*.{both}  6 tensors\n    -> features.*.*.{both}\n" in printed
    assert "made     3 tensors\n  features.*.*.attn.relative_position_index  3 tensors" in printed
    out.rename(tmp_path / "in.safetensors")
    main([str(tmp_path / "in.safetensors"), str(out), "--to", "timm"])
    assert "dropped  3 tensors\n  features.*.*.attn.relative_position_index" in capsys.readouterr().out


def test_what_is_left_over_has_to_be_allowed(tmp_path, refuse, capsys):
    source = safetensors(
        tmp_path / "a.safetensors", floats() | {"mask_token": checkpoint("swin", "timm")["norm.bias"]}
    )
    assert "1 left over of swin from timm to here: mask_token; allow" in refuse(source)
    assert "1 left over" in refuse(source, "--allow", "mask", "*_tokens")
    assert main([str(source), str(tmp_path / "b.safetensors"), "--to", "here", "--allow", "mask_*"]) == 0
    assert "left over, allowed 1 tensor\n  mask_token" in capsys.readouterr().out
    assert "mask_token" not in read(tmp_path / "b.safetensors")[0]
    convert(source, tmp_path / "c.safetensors", "here", allow="mask_token")


NO_CHECKPOINT = {
    "empty.safetensors": b"",
    "text.safetensors": b"hello, this is no checkpoint at all",
    "text.pth": b"hello, this is no checkpoint at all",
    "empty.pth": b"",
    "text.safetensors.index.json": b"[]",
}


@pytest.mark.parametrize(("name", "content"), NO_CHECKPOINT.items(), ids=NO_CHECKPOINT)
def test_no_checkpoint(tmp_path, refuse, name, content):
    (tmp_path / name).write_bytes(content)
    assert name in refuse(tmp_path / name)


@pytest.mark.parametrize("kind", ["safetensors", "pth"])
def test_a_truncated_file(tmp_path, refuse, kind):
    path = tmp_path / f"a.{kind}"
    if kind == "pth":
        torch.save({n: torch.tensor(a) for n, a in arrays(floats()).items()}, path)
    else:
        safetensors(path, floats())
    content = path.read_bytes()
    for length in (1, 9, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        line = refuse(path)
        assert str(path) in line
        assert "damaged, or no checkpoint" in line


class Code:
    def __reduce__(self):
        return os.mkdir, ("executed",)


def test_a_pickle_with_code(tmp_path, refuse, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"model": {"a": torch.zeros(2)}, "code": Code()}, tmp_path / "a.pth")
    line = refuse(tmp_path / "a.pth")
    assert "a.pth: refused, its pickle holds more than tensors" in line
    assert "mkdir" in line
    assert not (tmp_path / "executed").exists()


def test_a_file_of_something_else(tmp_path, refuse):
    torch.save({"epoch": 3, "loss": 0.5}, tmp_path / "a.pth")
    assert "holds a dict of epoch, loss, expected a state dict" in refuse(tmp_path / "a.pth")
    torch.save({"model": {"a": torch.zeros(2), "b": 3}}, tmp_path / "b.pth")
    assert "b is int, expected a dense tensor" in refuse(tmp_path / "b.pth")
    assert "no such file" in refuse(tmp_path / "c.pth")
    (tmp_path / "d").mkdir()
    assert "no checkpoint in this folder" in refuse(tmp_path / "d")


def test_shards_of_another_folder(tmp_path, refuse, swin):
    folder = tmp_path / "shards"
    folder.mkdir()
    path = folder / "a.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": dict.fromkeys(floats(), "../swin.safetensors")}))
    assert "lists the file '../swin.safetensors', expected one of its own folder" in refuse(path)


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        ({"norm.bias": "c.safetensors"}, "lists c.safetensors, which does not exist"),
        ({"more": "a.safetensors"}, "a.safetensors: lacks more, other than"),
        ({"norm.bias": None}, "no index of shards"),
    ],
)
def test_shards_that_are_not_those_of_the_index(tmp_path, refuse, index, expected):
    assert expected in refuse(write_shards(tmp_path, floats(), index))


def test_where_it_cannot_be_written(tmp_path, swin, capsys):
    def refuse(source, out, to="here"):
        return refused(capsys, main, [str(source), str(out), "--to", to])

    before = swin.read_bytes()
    assert "is the file to read, expected a new name" in refuse(swin, swin)
    (tmp_path / "there.safetensors").write_text("kept")
    assert "exists, expected a new name" in refuse(swin, tmp_path / "there.safetensors")
    assert "expected a name that ends in .safetensors" in refuse(swin, tmp_path / "a.pth", "torchvision")
    assert "is no folder" in refuse(swin, tmp_path / "no" / "a.safetensors")
    assert "is no folder" in refuse(swin, swin / "a.safetensors")
    (tmp_path / "folder").mkdir()
    assert "exists, expected a new name" in refuse(swin, tmp_path / "folder")
    assert swin.read_bytes() == before
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
def test_when_the_disk_is_full(tmp_path, swin, capsys, monkeypatch, out, failing):
    """Whichever step fails, nothing is left; then the same command works, also beside an old remnant."""

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    argv = [str(swin), str(tmp_path / out), "--to", "here"]
    before = sorted(tmp_path.iterdir())
    with monkeypatch.context() as broken:
        broken.setattr(os, failing, full)
        assert "No space left on device" in refused(capsys, main, argv)
    assert sorted(tmp_path.iterdir()) == before
    if out == "model":
        (tmp_path / "model.part").mkdir()
    assert main(argv) == 0
    assert sorted(tmp_path.iterdir()) == sorted([*before, tmp_path / out])


def test_options_that_do_not_fit(refuse, swin):
    assert "--image-size is [1, 2, 3], expected one or two positive integers" in refuse(
        swin, "--image-size", "1", "2", "3"
    )
    assert "--family" in refuse(swin, "--family", "nothing")
    assert "from is 'torchvision', expected one of here, timm" in refuse(
        swin, "--family", "relpos", "--from", "torchvision"
    )
    assert "no position tables of beit among its names" in refuse(swin, "--family", "beit")
    assert "has timm's names of swin already" in refuse(swin, to="timm")
    assert "the table of layers.0 has 49 rows, expected the 25 of 3x3" in refuse(
        swin, "--window-size", "3", to="torchvision"
    )


def test_the_config_in_a_folder_tells_what_the_weights_do_not(tmp_path, refuse, capsys):
    """Of this project, of transformers and of timm; what the user says comes first."""
    state, folder = finite("swinv2", "timm"), tmp_path / "swinv2"
    folder.mkdir()
    source = safetensors(folder / "model.safetensors", state)
    config = {"model_type": "swinv2", "image_size": 16, "window_size": 4, "layer_norm_eps": 1e-3}
    config["pretrained_window_sizes"] = [6, 0]
    (folder / "config.json").write_text(json.dumps(config))
    assert "give window_size" in refuse(source, to="torchvision")
    ours = convert(folder, tmp_path / "model", "here")
    values = ours.arguments.values
    assert (values["img_size"], values["window_size"], values["norm_eps"]) == ([16, 16], [4, 4], 1e-3)
    assert (values["pretrained_window_sizes"], ours.assumed) == ([[6, 6], 0], ())
    again = convert(tmp_path / "model", tmp_path / "a.safetensors", "microsoft")
    assert again.arguments.values == values
    (folder / "config.json").write_text('{"pretrained_cfg": {"input_size": [3, 16, 20]}}')
    report = convert(folder, tmp_path / "b.safetensors", "torchvision", window_size=4)
    assert report.arguments.values["img_size"] == [16, 20]
    assert report.remarks == ["img_size from config.json"]
    size = {"window_size": (4, 4), "img_size": (32, 32)}
    report = convert(folder, tmp_path / "c.safetensors", "torchvision", **size)
    assert report.arguments.values["img_size"] == [32, 32]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("{", "is no JSON"),
        ("[]", "is a list, expected an object"),
        ('{"model_type": "a", "image_size": "big"}', "img_size is 'big', expected one or two positive"),
        (
            '{"arguments": {"window_size": [7, 0]}}',
            "window_size is [7, 0], expected one or two positive",
        ),
        ('{"arguments": {"norm_eps": -1}}', "norm_eps is -1, expected a number between 0 and 1"),
        ('{"arguments": {"pretrained_window_sizes": [6]}}', "is [[6, 6]], expected one for each of 2"),
    ],
)
def test_a_config_that_is_none(tmp_path, refuse, config, expected):
    folder = tmp_path / "swinv2"
    folder.mkdir()
    safetensors(folder / "model.safetensors", finite("swinv2", "timm"))
    (folder / "config.json").write_text(config)
    assert expected in refuse(folder, "--window-size", "4", to="torchvision")
