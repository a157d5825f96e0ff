"""The files that the converter reads, and those that it refuses in one line."""

import json
import os

import numpy as np
import pytest
import torch
from convert_files import arrays, assert_same, floats, safetensors, write_shards

from experiments.convert.reading import read
from experiments.convert.tensors import numbers


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


def test_shards_are_read_as_one(tmp_path, swin_file):
    folder = tmp_path / "shards"
    folder.mkdir()
    index = write_shards(folder, floats())
    assert_same(read(folder)[0], read(swin_file)[0])
    assert_same(read(index)[0], read(swin_file)[0])


NO_CHECKPOINT = {
    "empty.safetensors": b"",
    "text.safetensors": b"hello, this is no checkpoint at all",
    "text.pth": b"hello, this is no checkpoint at all",
    "empty.pth": b"",
    "text.safetensors.index.json": b"[]",
}


@pytest.mark.parametrize(("name", "content"), NO_CHECKPOINT.items(), ids=NO_CHECKPOINT)
def test_no_checkpoint(tmp_path, unconverted, name, content):
    (tmp_path / name).write_bytes(content)
    assert name in unconverted(tmp_path / name)


@pytest.mark.parametrize("kind", ["safetensors", "pth"])
def test_a_truncated_file(tmp_path, unconverted, kind):
    path = tmp_path / f"a.{kind}"
    if kind == "pth":
        torch.save({n: torch.tensor(a) for n, a in arrays(floats()).items()}, path)
    else:
        safetensors(path, floats())
    content = path.read_bytes()
    for length in (1, 9, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        line = unconverted(path)
        assert str(path) in line
        assert "damaged, or no checkpoint" in line


class Code:
    def __reduce__(self):
        return os.mkdir, ("executed",)


def test_a_pickle_with_code(tmp_path, unconverted, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"model": {"a": torch.zeros(2)}, "code": Code()}, tmp_path / "a.pth")
    line = unconverted(tmp_path / "a.pth")
    assert "a.pth: refused, its pickle holds more than tensors" in line
    assert "mkdir" in line
    assert not (tmp_path / "executed").exists()


def test_a_file_of_something_else(tmp_path, unconverted):
    torch.save({"epoch": 3, "loss": 0.5}, tmp_path / "a.pth")
    assert "holds a dict of epoch, loss, expected a state dict" in unconverted(tmp_path / "a.pth")
    torch.save({"model": {"a": torch.zeros(2), "b": 3}}, tmp_path / "b.pth")
    assert "b is int, expected a dense tensor" in unconverted(tmp_path / "b.pth")
    assert "no such file" in unconverted(tmp_path / "c.pth")
    (tmp_path / "d").mkdir()
    assert "no checkpoint in this folder" in unconverted(tmp_path / "d")


def test_shards_of_another_folder(tmp_path, unconverted, swin_file):
    folder = tmp_path / "shards"
    folder.mkdir()
    path = folder / "a.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": dict.fromkeys(floats(), "../swin.safetensors")}))
    assert "lists the file '../swin.safetensors', expected one of its own folder" in unconverted(path)


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        ({"norm.bias": "c.safetensors"}, "lists c.safetensors, which does not exist"),
        ({"more": "a.safetensors"}, "a.safetensors: lacks more, other than"),
        ({"norm.bias": None}, "no index of shards"),
    ],
)
def test_shards_that_are_not_those_of_the_index(tmp_path, unconverted, index, expected):
    assert expected in unconverted(write_shards(tmp_path, floats(), index))
