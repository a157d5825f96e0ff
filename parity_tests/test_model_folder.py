"""A model's folder that is damaged, or that another program wrote, is read or refused in one line."""

import os
import random
import re

import numpy as np
import pytest

from .both import TWINS
from .small_models import ABOUT, FILES, SMALL, assert_same_state, edit, saved, small, state_of


@pytest.fixture
def folder(tmp_path):
    return saved(tmp_path / "model")


# damage


@TWINS
@pytest.mark.parametrize("name", FILES)
def test_every_flipped_bit_is_seen(twin, name, folder):
    """Only white space of config.json may change; the model is then the same."""
    path, draw, model = folder / name, random.Random(0), twin.from_pretrained(folder)
    content = path.read_bytes()
    seen = 0
    for place in draw.sample(range(8 * len(content)), 150):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        try:
            assert_same_state(model, twin.from_pretrained(folder))
        except ValueError as error:
            assert "model.safetensors" in str(error) or "config.json" in str(error)
            seen += 1
        else:
            assert name == "config.json"
            assert chr(content[place // 8]).isspace()
    assert seen > 100


@TWINS
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_cut_is_named(twin, name, folder):
    path, draw = folder / name, random.Random(0)
    content = path.read_bytes()
    for length in [0, 1, len(content.rstrip()) - 1, *(draw.randrange(len(content)) for _ in range(20))]:
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=re.escape(str(path))):
            twin.from_pretrained(folder)


@TWINS
def test_a_cut_is_seen_without_a_digest(twin, folder):
    """Another program's folder may lack the SHA-256."""
    edit(folder)
    model = twin.from_pretrained(folder)
    assert_same_state(model, small(twin))
    content = (folder / "model.safetensors").read_bytes()
    for length in (0, 7, 8, 100, len(content) - 1):
        (folder / "model.safetensors").write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"model\.safetensors: damaged, or no safetensors file"):
            twin.from_pretrained(folder)


# folders of other programs


def edit_arguments(**arguments):
    return {"arguments": SMALL | arguments}


def about(**fields):
    return {"preprocessing": {**ABOUT, "image_size": [8, 8], "in_chans": 1} | fields}


FIELDS = {
    "future": ({"format": 2}, "format is 2, this version reads 1"),
    "format": ({"format": "1"}, "format is '1', this version reads 1"),
    "no_format": ({"format": ...}, r"missing \['format'\], unexpected \[\]"),
    "no_architecture": ({"architecture": ...}, r"missing \['architecture'\], unexpected \[\]"),
    "extra": ({"more": 1}, r"missing \[\], unexpected \['more'\]"),
    "architecture": (
        {"architecture": "ResNet"},
        "architecture is 'ResNet', expected one of .*'VisionTr",
    ),
    "architecture_type": ({"architecture": [1]}, r"architecture is \[1\], expected one of"),
    "arguments": ({"arguments": [1]}, r"arguments is \[1\], expected an object"),
    "unknown": (
        edit_arguments(colour=1, generator=None),
        "arguments has colour, generator, VisionTransformer knows img_size, (?!.*generator)",
    ),
    "value": (edit_arguments(depth=0), "depth is 0, expected at least 1"),
    "type": (edit_arguments(depth="1"), "depth is '1', expected an integer"),
    "dtype": (edit_arguments(dtype="float7"), "dtype is 'float7'"),
    "scheme": (edit_arguments(rpb_kwargs={"bias_type": "x"}), "bias_type is 'x', expected one of"),
    "option": (edit_arguments(rpb_kwargs={"causal": True}), "bias_type '2d' has no option causal"),
    "preprocessing": ({"preprocessing": [1]}, r"preprocessing is \[1\], expected mean, std"),
    "no_mean": ({"preprocessing": {"std": [1]}}, r"preprocessing: missing \['mean'\], unexpected \[\]"),
    "crop": (about(crop_pct=1.5), r"preprocessing.crop_pct is 1.5, expected a number in \(0, 1\]"),
    "crop_text": (about(crop_pct="1"), "preprocessing.crop_pct is '1', expected a number in"),
    "filter": (
        about(interpolation="nearest"),
        "preprocessing.interpolation is 'nearest', expected one of 'bilinear', 'bicubic'",
    ),
    "more": (about(crop=1), r"preprocessing: missing \[\], unexpected \['crop'\]"),
    "size": (
        about(image_size=[8, 4]),
        r"preprocessing.image_size is \(8, 4\), the model takes \(8, 8\)",
    ),
    "sizes": (about(image_size=[8]), r"preprocessing.image_size is \[8\], expected an int or 2 ints"),
    "chans": (about(in_chans=3), "preprocessing.in_chans is 3, the model has 1"),
    "mean": (
        about(mean=[1, 2]),
        r"preprocessing.mean is \[1, 2\], expected a number for each of 1 chan",
    ),
    "mean_text": (about(mean="a"), "preprocessing.mean is 'a', expected a number for each"),
    "mean_nan": (about(mean=[float("nan")]), "preprocessing.mean is nan, expected a number in"),
    "std": (about(std=[0]), r"preprocessing.std is 0, expected a number in \(0, inf\)"),
    "classes": ({"classes": ["a"]}, "classes has 1 names, the model has 3"),
    "classes_type": ({"classes": "abc"}, "classes is 'abc', expected the names"),
    "classes_names": ({"classes": [1, 2, 3]}, r"classes is \[1, 2, 3\], expected texts"),
}


@TWINS
@pytest.mark.parametrize(("fields", "message"), FIELDS.values(), ids=FIELDS)
def test_a_field_that_does_not_fit_is_named(twin, fields, message, folder):
    edit(folder, **fields)
    with pytest.raises(ValueError, match=message) as raised:
        twin.from_pretrained(folder)
    text = str(raised.value)
    assert text.startswith(f"{folder / 'config.json'}: ")
    assert "\n" not in text


@TWINS
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arguments_that_are_not_there_have_their_defaults(twin, dtype, folder):
    """The dtype is then that of the tensors."""
    rewritten(folder, lambda t: t.update({name: a.astype(dtype) for name, a in t.items()}))
    edit(folder, arguments=SMALL)
    loaded, model = twin.from_pretrained(folder), small(twin)
    expected = {name: a.astype(dtype) for name, a in state_of(model).items()}
    assert all(np.array_equal(a, expected[name]) for name, a in state_of(loaded).items())
    assert {a.dtype.name for a in state_of(loaded).values()} == {dtype}


@TWINS
def test_another_class_is_refused(twin, folder):
    class Other(twin.pretrained.Pretrained):
        def __init__(self, generator=None):
            super().__init__()

    with pytest.raises(ValueError, match="architecture is 'VisionTransformer', expected one of 'Other'"):
        Other.from_pretrained(folder)


@TWINS
@pytest.mark.parametrize("text", ["", "{", "[]", "3", "{'a': 1}", "\xff", "[" * 10**5], ids=range(7))
def test_a_config_that_is_none_is_named(twin, text, folder):
    (folder / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"config\.json is (no JSON|\[\], expected|3, expected)"):
        twin.from_pretrained(folder)


def rewritten(folder, change):
    """Change the tensors of a folder, a dict, in place; without the SHA-256."""
    from safetensors.numpy import load_file, save_file

    edit(folder)
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


TENSORS = {
    "missing": (lambda t: t.pop("head.bias"), r"missing \['head.bias'\], unexpected \[\]"),
    "extra": (lambda t: t.update(x=np.zeros(1)), "(missing .*, unexpected .'x'|x is float64)"),
    "shape": (
        lambda t: t.update({"norm.bias": np.zeros(9, np.float32)}),
        r"norm.bias has shape \(9,\) in the state, expected \(8,\)",
    ),
    "dtype": (
        lambda t: t.update({"norm.bias": np.zeros(8)}),
        "norm.bias is float64, expected float32: give dtype to convert",
    ),
    "half": (
        lambda t: t.update({"norm.bias": np.zeros(8, np.float16)}),
        "norm.bias is float16, expected float32: give dtype to convert",
    ),
    "integers": (
        lambda t: t.update({"norm.bias": np.zeros(8, int)}),
        r"norm.bias is (I64|torch.int64), exp",
    ),
    "bools": (
        lambda t: t.update({"norm.bias": np.zeros(8, bool)}),
        "norm.bias is (BOOL|torch.bool), exp",
    ),
}


@TWINS
@pytest.mark.parametrize(("change", "message"), TENSORS.values(), ids=TENSORS)
def test_a_tensor_that_does_not_fit_is_named(twin, change, message, folder):
    rewritten(folder, change)
    with pytest.raises(ValueError, match=message) as raised:
        twin.from_pretrained(folder)
    assert str(raised.value).startswith(f"{folder / 'model.safetensors'}: ")


@TWINS
def test_a_dtype_that_is_given_converts_tensors_of_any(twin, folder):
    rewritten(folder, lambda t: t.update({"norm.bias": np.arange(8, dtype=np.float16)}))
    loaded = twin.from_pretrained(folder, dtype="float32")
    np.testing.assert_array_equal(state_of(loaded)["norm.bias"], np.arange(8, dtype=np.float32))


@TWINS
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_file_is_named(twin, name, folder, tmp_path):
    """Missing, a broken link, a folder or a pipe, which is not opened."""
    path = folder / name
    path.unlink()
    for make in (lambda: None, lambda: path.symlink_to("nowhere"), path.mkdir, lambda: os.mkfifo(path)):
        make()
        with pytest.raises(FileNotFoundError, match=rf"{path}: no such file, expected config.json and"):
            twin.from_pretrained(folder)
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)


@TWINS
def test_a_folder_that_is_none_is_named(twin, folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere/config\.json: no such file"):
        twin.from_pretrained(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"config\.json/config\.json: no such file"):
        twin.from_pretrained(folder / "config.json")
    with pytest.raises(TypeError, match="folder is None, expected a path"):
        twin.from_pretrained(None)


@TWINS
def test_links_to_the_files_are_read(twin, folder, tmp_path):
    """As in the cache of a hub, where a folder holds links."""
    (tmp_path / "links").mkdir()
    for name in FILES:
        (tmp_path / "links" / name).symlink_to(folder / name)
    assert_same_state(twin.from_pretrained(tmp_path / "links"), small(twin))


@TWINS
@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_a_lack_of_permission_is_named(twin, folder, tmp_path):
    (folder / "config.json").chmod(0)
    with pytest.raises(PermissionError, match="config"):
        twin.from_pretrained(folder)
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match=str(tmp_path)):
        small(twin).save_pretrained(tmp_path / "new")
