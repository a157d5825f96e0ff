"""Damage to what the converter wrote is noticed, by itself and by `from_pretrained` of both twins."""

import json
import shutil

import numpy as np
import pytest
from checkpoints import finite

import numpy_ref
import torch_impl
from experiments.convert import convert
from experiments.convert.packing import DIGEST, pack, unpack
from experiments.convert.reading import read

CHANGED = "has changed since it was written"


def test_every_changed_bit_of_a_file_is_noticed():
    """A bit in the padding or in the digest's name may pass, but then the tensors are the same."""
    state = finite("swin", "timm")
    content, rng = pack(state), np.random.default_rng(0)
    start, noticed = content.index(b'"dtype"'), 0
    assert unpack(content).keys() == state.keys()
    places = [*range(start), *rng.integers(start, len(content), 400)]
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 1 << rng.integers(8)
        try:
            found = unpack(bytes(damaged))
        except ValueError:
            noticed += 1
            continue
        assert place < start
        assert all(np.array_equal(found[name].array, state[name].array) for name in state)
    assert noticed >= 400


def test_a_file_of_another_library_is_taken_unchecked(tmp_path):
    from safetensors.numpy import save_file

    save_file({"a": np.ones(3)}, tmp_path / "a.safetensors", {"format": "pt"})
    assert read(tmp_path / "a.safetensors")[0]["a"].shape == (3,)
    save_file({"a": np.ones(3)}, tmp_path / "a.safetensors")
    assert read(tmp_path / "a.safetensors")[0]["a"].shape == (3,)


def test_the_digest_leaves_other_libraries_what_they_read(tmp_path):
    from safetensors import safe_open

    path = tmp_path / "a.safetensors"
    path.write_bytes(pack(finite("swin", "timm")))
    with safe_open(path, "np") as file:
        assert file.metadata().keys() == {"format", DIGEST}
        assert file.metadata()["format"] == "pt"


@pytest.fixture
def model(tmp_path):
    """A folder for here that the converter wrote."""
    (tmp_path / "swin.safetensors").write_bytes(pack(finite("swin", "timm")))
    convert(tmp_path / "swin.safetensors", tmp_path / "model", "here")
    return tmp_path / "model"


def damage_weights(folder):
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def damage_config(folder):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["arguments"]["norm_eps"] = 1e-6
    path.write_text(json.dumps(config))


def other_weights(folder):
    """Put a whole file, with its own digest, in place of the folder's."""
    state = unpack((folder / "model.safetensors").read_bytes())
    name = "head.fc.bias"
    state[name] = state[name].with_array(state[name].array + 1)
    (folder / "model.safetensors").write_bytes(pack(state))


@pytest.mark.parametrize("damage", [damage_weights, damage_config, other_weights])
@pytest.mark.parametrize("twin", [numpy_ref, torch_impl])
def test_a_damaged_folder_is_noticed_by_both_twins_and_the_converter(model, tmp_path, twin, damage):
    twin.from_pretrained(model)
    damage(model)
    with pytest.raises(ValueError, match=CHANGED):
        twin.from_pretrained(model)
    with pytest.raises(ValueError, match=CHANGED):
        convert(model, tmp_path / "out.safetensors", "timm")
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize("damage", [damage_weights, damage_config, other_weights])
def test_the_converter_notices_damage_to_what_a_twin_saved(model, tmp_path, damage):
    saved = tmp_path / "saved"
    numpy_ref.from_pretrained(model).save_pretrained(saved)
    convert(saved, tmp_path / "out.safetensors", "timm")
    damage(saved)
    with pytest.raises(ValueError, match=f"saved/model.safetensors.* {CHANGED}"):
        convert(saved, tmp_path / "again.safetensors", "timm")


def test_another_checkpoint_beside_a_models_config_is_not_held_against_it(model, tmp_path):
    """The digest is of model.safetensors."""
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(model / "config.json", other)
    shutil.copy(tmp_path / "swin.safetensors", other / "timm.safetensors")
    convert(other, tmp_path / "out.safetensors", "torchvision")
