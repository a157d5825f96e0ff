"""Files for the tests of the converter."""

import json

from checkpoints import finite

from experiments.convert.packing import pack


def arrays(state):
    return {name: tensor.array for name, tensor in state.items()}


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


def write_shards(folder, state, index=None):
    names = sorted(state)
    parts = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, part in parts.items():
        safetensors(folder / file, {name: state[name] for name in part})
    places = {name: file for file, part in parts.items() for name in part}
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": places | (index or {})}))
    return path
