"""Models in folders: either twin reads what the other wrote, whole or not at all, and says what is wrong."""

import copy
import inspect
import json
import os
import pickle
import random
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import numpy_ref
import numpy_ref.model_folder
import numpy_ref.pretrained
import torch_impl
import torch_impl.model_folder
import torch_impl.pretrained

from .both import TWINS, array, tensor
from .cases import CASES
from .run import build, given_of

MODELS = [case for case in CASES if case.kind in ("vit", "swin")]
SMALL = {"img_size": 8, "embed_dim": 8, "depth": 1, "num_heads": 2, "num_classes": 3}
ABOUT = {"mean": [0.5], "std": [0.25]}
NAMES = ["ant", "bee", "fly"]
FILES = ["config.json", "model.safetensors"]
PAIRS = pytest.mark.parametrize(
    ("writer", "reader"),
    [(a, b) for a in (numpy_ref, torch_impl) for b in (numpy_ref, torch_impl)],
    ids=lambda twin: twin.__name__,
)


def small(twin, **options):
    return twin.VisionTransformer(**SMALL | options, generator=np.random.default_rng(0))


def states(*models):
    """Return each model's state dict as arrays."""
    return [{name: array(a) for name, a in model.state_dict().items()} for model in models]


def assert_same_state(one, other):
    one, other = states(one, other)
    assert list(one) == list(other)
    for name in one:
        assert one[name].dtype == other[name].dtype
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.fixture
def folder(tmp_path):
    """A model that the NumPy twin saved."""
    small(numpy_ref).save_pretrained(tmp_path / "model", ABOUT, NAMES)
    return tmp_path / "model"


@PAIRS
@pytest.mark.parametrize("case", MODELS, ids=lambda case: case.id)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_model_comes_back(writer, reader, case, dtype, tmp_path):
    """Same bits of all parameters; in the same twin the same bits of the logits, too."""
    given = given_of(case, dtype)
    model = build(writer, case, dtype)
    model.load_state_dict({n: tensor(writer, a.astype(dtype)) for n, a in given.state.items()})
    model.save_pretrained(tmp_path / "model")
    loaded = reader.from_pretrained(tmp_path / "model")
    assert_same_state(model, loaded)
    assert type(loaded) is getattr(reader, type(model).__name__)
    assert not any(module.training for module in loaded.modules())
    x = tensor(writer, given.inputs["images"].astype(dtype))
    if reader is writer:
        np.testing.assert_array_equal(array(model.eval()(x)), array(loaded(x)))


@pytest.mark.parametrize("case", MODELS, ids=lambda case: case.id)
def test_both_twins_write_the_same_bytes(case, tmp_path):
    for twin in (numpy_ref, torch_impl):
        build(twin, case, "float32").save_pretrained(tmp_path / twin.__name__)
    for name in FILES:
        ours, theirs = (tmp_path / twin / name for twin in ("numpy_ref", "torch_impl"))
        assert ours.read_bytes() == theirs.read_bytes()


@TWINS
def test_arguments_of_any_type_are_kept(twin, tmp_path):
    """NumPy's numbers, tuples and arrays become JSON's; a caller's later change is not the model's."""
    options = {"bias_type": "custom", "index": np.arange(16).reshape(4, 4), "num_rows": np.int64(20)}
    model = small(
        twin,
        img_size=np.array([8, 8]).tolist(),
        depth=np.int32(1),
        drop_rate=np.float32(0.1),
        mlp_ratio=2,
        global_pool="avg",
        rpb_kwargs=options,
    )
    options["num_rows"] = 3
    model.save_pretrained(tmp_path / "model")
    loaded = twin.from_pretrained(tmp_path / "model")
    assert_same_state(model, loaded)
    assert loaded.arguments == model.arguments
    assert loaded.arguments["drop_rate"] == float(np.float32(0.1))
    assert loaded.arguments["rpb_kwargs"] == {
        "bias_type": "custom",
        "index": np.arange(16).reshape(4, 4).tolist(),
        "num_rows": 20,
    }


@TWINS
def test_what_the_model_knows_is_kept(twin, folder, tmp_path):
    model = twin.from_pretrained(folder)
    assert model.preprocessing == {**ABOUT, "image_size": [8, 8], "in_chans": 1}
    assert model.classes == NAMES
    model.save_pretrained(tmp_path / "again")
    assert (tmp_path / "again" / "config.json").read_bytes() == (folder / "config.json").read_bytes()
    model.save_pretrained(tmp_path / "other", ABOUT | {"mean": [0.25]}, ["a", "b", "c"])
    other = twin.from_pretrained(tmp_path / "other")
    assert (other.preprocessing["mean"], other.classes) == ([0.25], ["a", "b", "c"])
    small(twin).save_pretrained(tmp_path / "none")
    none = twin.from_pretrained(tmp_path / "none")
    assert (none.preprocessing, none.classes) == (None, None)


@TWINS
def test_a_model_that_was_copied_or_pickled_is_saved(twin, folder, tmp_path):
    model = twin.from_pretrained(folder)
    for n, other in enumerate((copy.deepcopy(model), pickle.loads(pickle.dumps(model)))):
        other.save_pretrained(tmp_path / str(n))
        for name in FILES:
            assert (tmp_path / str(n) / name).read_bytes() == (folder / name).read_bytes()


@TWINS
def test_a_generator_is_that_of_the_draws(twin, folder):
    generator = np.random.default_rng(5)
    assert twin.from_pretrained(folder, generator=generator).generator is generator


# half precision


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_widened_only_when_asked(dtype, tmp_path):
    """The NumPy twin refuses it, and widens it exactly when dtype is given."""
    model = small(torch_impl, dtype=dtype)
    model.save_pretrained(tmp_path / "half")
    assert_same_bits(model, torch_impl.from_pretrained(tmp_path / "half"))
    with pytest.raises(ValueError, match=rf"config\.json: dtype is {dtype}, which NumPy lacks"):
        numpy_ref.from_pretrained(tmp_path / "half")
    for wide in ("float32", "float64"):
        ours, theirs = (t.from_pretrained(tmp_path / "half", wide) for t in (numpy_ref, torch_impl))
        assert_same_state(ours, theirs)
        assert_same_state(ours, model.to(getattr(torch, wide)))


def assert_same_bits(one, other):
    one, other = one.state_dict(), other.state_dict()
    assert one.keys() == other.keys()
    assert all(torch.equal(one[n], other[n]) and one[n].dtype == other[n].dtype for n in one)


def test_the_dtype_is_that_of_the_parameters(tmp_path):
    """`.half()` and the like change the model after it was built."""
    small(torch_impl).half().save_pretrained(tmp_path / "half")
    assert config_of(tmp_path / "half")["arguments"]["dtype"] == "float16"
    mixed = small(torch_impl)
    mixed.head.half()
    with pytest.raises(ValueError, match="have the dtypes float16, float32, expected one"):
        mixed.save_pretrained(tmp_path / "mixed")
    assert not (tmp_path / "mixed").exists()


@TWINS
def test_a_dtype_converts(twin, folder):
    loaded = twin.from_pretrained(folder, dtype="float64")
    (wide,), (narrow,) = states(loaded), states(twin.from_pretrained(folder))
    for name, a in wide.items():
        assert a.dtype == np.float64
        np.testing.assert_array_equal(a, narrow[name])
    with pytest.raises(TypeError, match="dtype is '?(torch.)?int8'?, expected"):
        twin.from_pretrained(folder, dtype="int8")


# writing


@TWINS
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
@pytest.mark.parametrize("step", ["rename", "fsync", "mkdir"])
def test_an_interrupted_write_leaves_nothing(twin, error, step, tmp_path, monkeypatch):
    model = small(twin)

    def stop(*_, **__):
        raise error

    monkeypatch.setattr(os, step, stop)
    with pytest.raises(error):
        model.save_pretrained(tmp_path / "model")
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


@TWINS
def test_the_folder_has_its_name_only_when_it_is_whole(twin, tmp_path, monkeypatch):
    """At the rename both files are complete and flushed; the last flush is of the folder above."""
    model, rename, fsync, log = small(twin), os.rename, os.fsync, []
    monkeypatch.setattr(os, "fsync", lambda fd: (log.append(os.readlink(f"/proc/self/fd/{fd}")), fsync(fd)))

    def renamed(source, target):
        assert sorted(os.listdir(source)) == FILES
        assert {str(source), *(os.path.join(source, name) for name in FILES)} == set(log)
        rename(source, target)
        log.clear()

    monkeypatch.setattr(os, "rename", renamed)
    model.save_pretrained(tmp_path / "model")
    assert log == [str(tmp_path)]
    assert_same_state(model, twin.from_pretrained(tmp_path / "model"))


@TWINS
def test_a_folder_that_is_taken_is_left_alone(twin, folder, tmp_path):
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(FileExistsError, match=rf"{folder} exists, expected a new or an empty folder"):
        small(twin).save_pretrained(folder)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    with pytest.raises(FileExistsError, match="a new or an empty folder"):
        small(twin).save_pretrained(folder / "config.json")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    small(twin).save_pretrained(str(tmp_path / "link"))
    small(twin).save_pretrained(tmp_path / "new" / "deep")
    for name in ("empty", "link", "new/deep"):
        assert_same_state(small(twin), twin.from_pretrained(tmp_path / name))
    with pytest.raises(TypeError, match="folder is 3, expected a path"):
        small(twin).save_pretrained(3)


@TWINS
def test_a_model_that_was_changed_is_not_saved(twin, tmp_path):
    """Its arguments would not make it again."""
    model = small(twin)
    model.head = small(twin, num_classes=5).head
    with pytest.raises(ValueError, match=r"head\.weight has shape \(5, 8\) in the state, expected \(3, 8\)"):
        model.save_pretrained(tmp_path / "model")
    model.head = None
    with pytest.raises(ValueError, match=r"missing \['head\.bias', 'head\.weight'\]"):
        model.save_pretrained(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


@TWINS
@pytest.mark.parametrize("call", ["save", "load"])
def test_a_missing_package_is_named(twin, call, folder, tmp_path, monkeypatch):
    for name in ("safetensors", "safetensors.numpy", "safetensors.torch"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match="pip install safetensors"):
        if call == "save":
            small(twin).save_pretrained(tmp_path / "other")
        else:
            twin.from_pretrained(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


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


def config_of(folder):
    return json.loads((folder / "config.json").read_text())


def edit(folder, **fields):
    """Change fields of config.json, or take out those that are `...`; without the SHA-256."""
    config = config_of(folder) | fields
    config.pop("sha256", None)
    kept = {name: value for name, value in config.items() if value is not ...}
    (folder / "config.json").write_text(json.dumps(kept))


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
    "architecture": ({"architecture": "ResNet"}, "architecture is 'ResNet', expected one of .*'VisionTr"),
    "architecture_type": ({"architecture": [1]}, r"architecture is \[1\], expected one of"),
    "arguments": ({"arguments": [1]}, r"arguments is \[1\], expected an object"),
    "unknown": (
        edit_arguments(colour=1, generator=None),
        "arguments has colour, generator, VisionTransformer knows img_size, .*, dtype$",
    ),
    "value": (edit_arguments(depth=0), "depth is 0, expected at least 1"),
    "type": (edit_arguments(depth="1"), "depth is '1', expected an integer"),
    "dtype": (edit_arguments(dtype="float7"), "dtype is 'float7'"),
    "scheme": (edit_arguments(rpb_kwargs={"bias_type": "x"}), "bias_type is 'x', expected one of"),
    "option": (edit_arguments(rpb_kwargs={"causal": True}), "bias_type '2d' has no option causal"),
    "preprocessing": ({"preprocessing": [1]}, r"preprocessing is \[1\], expected mean, std"),
    "no_mean": ({"preprocessing": {"std": [1]}}, r"preprocessing: missing \['mean'\], unexpected \[\]"),
    "more": (about(crop=1), r"preprocessing: missing \[\], unexpected \['crop'\]"),
    "size": (about(image_size=[8, 4]), r"preprocessing.image_size is \(8, 4\), the model takes \(8, 8\)"),
    "sizes": (about(image_size=[8]), r"preprocessing.image_size is \[8\], expected an int or 2 ints"),
    "chans": (about(in_chans=3), "preprocessing.in_chans is 3, the model has 1"),
    "mean": (about(mean=[1, 2]), r"preprocessing.mean is \[1, 2\], expected a number for each of 1 chan"),
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
        "norm.bias is float64, config.json has float32: give dtype to convert",
    ),
    "half": (
        lambda t: t.update({"norm.bias": np.zeros(8, np.float16)}),
        "norm.bias is float16, config.json has float32: give dtype to convert",
    ),
    "integers": (lambda t: t.update({"norm.bias": np.zeros(8, int)}), r"norm.bias is (I64|torch.int64), exp"),
    "bools": (lambda t: t.update({"norm.bias": np.zeros(8, bool)}), "norm.bias is (BOOL|torch.bool), exp"),
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
    np.testing.assert_array_equal(states(loaded)[0]["norm.bias"], np.arange(8, dtype=np.float32))


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


# the twins


def test_signatures_are_the_same():
    ours, theirs = numpy_ref.pretrained, torch_impl.pretrained
    for name in ("save_pretrained", "from_pretrained", "classify"):
        one, other = (inspect.signature(getattr(m.Pretrained, name)).parameters for m in (ours, theirs))
        assert [(p.name, p.default) for p in one.values()] == [(p.name, p.default) for p in other.values()]
        assert getattr(ours.Pretrained, name).__doc__.startswith(
            getattr(theirs.Pretrained, name).__doc__.partition("Raises")[0]
        )


@TWINS
def test_a_wrong_argument_has_pythons_own_message(twin):
    with pytest.raises(TypeError, match=r"__init__\(\) got an unexpected keyword argument 'colour'"):
        twin.VisionTransformer(colour=1)
    assert str(inspect.signature(twin.VisionTransformer)).startswith("(img_size: int | ")


def test_importing_a_twin_leaves_safetensors_alone():
    import subprocess

    for twin in ("numpy_ref", "torch_impl"):
        code = f"import sys, {twin}; sys.exit('safetensors' in sys.modules)"
        subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent.parent, check=True)


# classify


def formula(model, images):
    """Return softmax(model((images − mean) / std)) in float64, images (N, h, w, C) in [0, 1]."""
    mean, std = (np.array(model.preprocessing[name]) for name in ("mean", "std"))
    x = ((images - mean) / std).transpose(0, 3, 1, 2).astype(np.float32)
    twin = torch_impl if isinstance(model, torch.nn.Module) else numpy_ref
    logits = array(model(tensor(twin, np.ascontiguousarray(x)))).astype(np.float64)
    odds = np.exp(logits)
    return odds / odds.sum(-1, keepdims=True)


@TWINS
def test_colour_images_are_classified(twin):
    model = small(twin, img_size=(8, 12), in_chans=3).eval()
    model.preprocessing = {"mean": [0.1, 0.5, 0.9], "std": [0.2, 0.3, 1.0]}
    model.classes = NAMES
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 12, 3), np.uint8)
    expected = formula(model, images / 255)
    names, probabilities = model.train().classify(images)
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    assert probabilities.dtype == np.float64
    assert names == [NAMES[n] for n in expected.argmax(-1)]
    assert len(set(map(tuple, expected.round(3)))) == 5
    assert not model.training
    for few in (model.classify(images, batch_size=2), model.classify(images.astype(np.float32) / 255)):
        np.testing.assert_allclose(few.probabilities, probabilities, atol=1e-6)
        assert few.names == names
    one = model.classify(images[3])
    assert (one.names, one.probabilities.shape) == ([names[3]], (1, 3))
    np.testing.assert_allclose(one.probabilities[0], probabilities[3], atol=1e-6)


@TWINS
def test_gray_images_need_no_axis_for_it(twin):
    model = small(twin)
    model.preprocessing = ABOUT
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8), np.uint8)
    names, probabilities = model.classify(images)
    assert names == [str(n) for n in probabilities.argmax(-1)]
    for layout in (images[..., None], images[:, ::-1][:, ::-1], np.asfortranarray(images)):
        np.testing.assert_array_equal(model.classify(layout).probabilities, probabilities)
    for layout in (images[0], images[0][..., None]):
        np.testing.assert_allclose(model.classify(layout).probabilities, probabilities[:1], atol=1e-6)


def test_the_twins_classify_alike(folder):
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8), np.uint8)
    ours, theirs = (t.from_pretrained(folder, "float64").classify(images) for t in (numpy_ref, torch_impl))
    assert ours.names == theirs.names
    np.testing.assert_allclose(ours.probabilities, theirs.probabilities, atol=1e-6)


@TWINS
def test_images_and_parameters_are_left_alone(twin, folder):
    model = twin.from_pretrained(folder)
    before, images = states(model)[0], np.random.default_rng(0).random((2, 8, 8), np.float32)
    images.flags.writeable = False
    model.classify(images)
    for name, a in states(model)[0].items():
        np.testing.assert_array_equal(a, before[name])


def test_half_precision_classifies(folder):
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8), np.uint8)
    half, single = (torch_impl.from_pretrained(folder, d).classify(images) for d in ("bfloat16", None))
    np.testing.assert_allclose(half.probabilities, single.probabilities, atol=0.05)
    assert half.probabilities.dtype == np.float64


IMAGES = {
    "list": ([[1]], TypeError, "images is a list, expected a NumPy array"),
    "tensor": (torch.zeros(8, 8), TypeError, "images is a Tensor, expected a NumPy array"),
    "masked": (np.ma.zeros((8, 8)), TypeError, "images is a MaskedArray, expected a NumPy array"),
    "integers": (np.zeros((8, 8), int), TypeError, "images has dtype int64, expected uint8, or floats in"),
    "bools": (np.zeros((8, 8), bool), TypeError, "images has dtype bool, expected uint8"),
    "text": (np.full((8, 8), "a"), TypeError, "images has dtype <U1, expected uint8"),
    "size": (
        np.zeros((8, 9), np.uint8),
        ValueError,
        r"images has shape \(8, 9\), expected \(8, 8, 1\) or \(8, 8\), or several of these",
    ),
    "chans": (np.zeros((8, 8, 3), np.uint8), ValueError, r"images has shape \(8, 8, 3\)"),
    "first": (np.zeros((1, 8, 8, 3), np.uint8), ValueError, r"images has shape \(1, 8, 8, 3\)"),
    "none": (np.zeros((0, 8, 8), np.uint8), ValueError, r"images has shape \(0, 8, 8\)"),
    "number": (np.uint8(3), TypeError, "images is a uint8, expected a NumPy array"),
    "scalar": (np.zeros((), np.uint8), ValueError, r"images has shape \(\)"),
    "range": (np.full((8, 8), 255.0), ValueError, r"values in \[255.0, 255.0\], expected \[0, 1\]"),
    "negative": (np.full((8, 8), -0.1), ValueError, r"images has values in \[-0.1, -0.1\]"),
    "nan": (np.full((8, 8), np.nan), ValueError, "images has values in"),
}


@TWINS
@pytest.mark.parametrize(("images", "error", "message"), IMAGES.values(), ids=IMAGES)
def test_what_is_no_image_is_named(twin, images, error, message):
    model = small(twin)
    model.preprocessing = ABOUT
    with pytest.raises(error, match=message):
        model.classify(images)


@TWINS
def test_a_model_that_cannot_classify_says_so(twin):
    model, image = small(twin), np.zeros((8, 8), np.uint8)
    with pytest.raises(ValueError, match="preprocessing is None, expected mean, std"):
        model.classify(image)
    model.preprocessing = {"mean": [0.5]}
    with pytest.raises(ValueError, match=r"preprocessing: missing \['std'\]"):
        model.classify(image)
    model.preprocessing = ABOUT
    with pytest.raises(ValueError, match="batch_size is 0, expected at least 1"):
        model.classify(image, batch_size=0)


@TWINS
@pytest.mark.parametrize(
    ("about", "classes", "error", "message"),
    [
        (3, None, TypeError, "preprocessing is 3, expected mean"),
        ({"mean": [0.5], "std": [-1.0]}, None, ValueError, "preprocessing.std is -1.0"),
        (ABOUT | {"in_chans": 2.0}, None, TypeError, "preprocessing.in_chans is 2.0, expected an integer"),
        (None, ["a"], ValueError, "classes has 1 names, the model has 3"),
        (None, 3, TypeError, "classes is 3, expected the names"),
        (None, ["a", "b", 3], TypeError, "expected texts"),
    ],
    ids=str,
)
def test_what_cannot_be_saved_is_named(twin, about, classes, error, message, tmp_path):
    with pytest.raises(error, match=message):
        small(twin).save_pretrained(tmp_path / "model", about, classes)
    assert list(tmp_path.iterdir()) == []


@TWINS
def test_moments_may_be_arrays(twin, tmp_path):
    mean, std = np.array([0.1], np.float32), np.array([0.7], np.float32)
    small(twin).save_pretrained(tmp_path / "model", {"mean": mean, "std": std}, tuple(NAMES))
    about = twin.from_pretrained(tmp_path / "model").preprocessing
    assert np.float32(about["mean"][0]) == mean[0]
    assert np.float32(about["std"][0]) == std[0]
