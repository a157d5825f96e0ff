"""Either twin loads the models that the other saved, with all that they know."""

import copy
import inspect
import pickle

import numpy as np
import pytest
import torch

import numpy_ref
import numpy_ref.pretrained
import torch_impl
import torch_impl.pretrained

from .both import TWINS, array, tensor
from .cases import CASES
from .run import build, given_of
from .small_models import ABOUT, FILES, NAMES, assert_same_state, config_of, saved, small, state_of

MODELS = [case for case in CASES if case.kind in ("vit", "swin")]
PAIRS = pytest.mark.parametrize(
    ("writer", "reader"),
    [(a, b) for a in (numpy_ref, torch_impl) for b in (numpy_ref, torch_impl)],
    ids=lambda twin: twin.__name__,
)


@pytest.fixture
def folder(tmp_path):
    return saved(tmp_path / "model")


def outputs(out):
    """Return the logits, or the features of every stage, as a list of arrays."""
    return [array(x) for x in (out if isinstance(out, list) else [out])]


@PAIRS
@pytest.mark.parametrize(
    ("case", "dtype"),
    [*((case, "float32") for case in MODELS), (MODELS[0], "float64")],
    ids=lambda value: getattr(value, "id", value),
)
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
        for expected, found in zip(outputs(model.eval()(x)), outputs(loaded(x)), strict=True):
            np.testing.assert_array_equal(found, expected)


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
    resizing = {"crop_pct": 0.875, "interpolation": "bicubic"}
    model.save_pretrained(tmp_path / "crop", ABOUT | resizing)
    for reader in (numpy_ref, torch_impl):
        crop = reader.from_pretrained(tmp_path / "crop")
        assert crop.preprocessing == model.preprocessing | resizing
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
    with pytest.raises(TypeError, match=r"^generator is a int, expected"):
        twin.from_pretrained(folder, generator=3)


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
    wide, narrow = state_of(loaded), state_of(twin.from_pretrained(folder))
    for name, a in wide.items():
        assert a.dtype == np.float64
        np.testing.assert_array_equal(a, narrow[name])
    with pytest.raises(TypeError, match=r"dtype is ('int8'|torch.int8), expected"):
        twin.from_pretrained(folder, dtype="int8")


@TWINS
def test_moments_may_be_arrays(twin, tmp_path):
    mean, std = np.array([0.1], np.float32), np.array([0.7], np.float32)
    small(twin).save_pretrained(tmp_path / "model", {"mean": mean, "std": std}, tuple(NAMES))
    about = twin.from_pretrained(tmp_path / "model").preprocessing
    assert np.float32(about["mean"][0]) == mean[0]
    assert np.float32(about["std"][0]) == std[0]


def test_signatures_are_the_same():
    ours, theirs = numpy_ref.pretrained, torch_impl.pretrained
    for name in ("save_pretrained", "from_pretrained", "classify"):
        one, other = (inspect.signature(getattr(m.Pretrained, name)).parameters for m in (ours, theirs))
        assert [(p.name, p.default) for p in one.values()] == [
            (p.name, p.default) for p in other.values()
        ]
        assert getattr(ours.Pretrained, name).__doc__.startswith(
            getattr(theirs.Pretrained, name).__doc__.partition("Raises")[0]
        )
