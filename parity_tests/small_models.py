"""Small models and their folders, for the tests of saving, loading and classifying."""

import json

import numpy as np

import numpy_ref

from .both import array

SMALL = {"img_size": 8, "embed_dim": 8, "depth": 1, "num_heads": 2, "num_classes": 3}
ABOUT = {"mean": [0.5], "std": [0.25]}
NAMES = ["ant", "bee", "fly"]
FILES = ["config.json", "model.safetensors"]


def small(twin, **options):
    return twin.VisionTransformer(**SMALL | options, generator=np.random.default_rng(0))


def saved(folder):
    """Let the NumPy twin save a small model; return the folder."""
    small(numpy_ref).save_pretrained(folder, ABOUT, NAMES)
    return folder


def state_of(model):
    """Return the state dict as arrays."""
    return {name: array(a) for name, a in model.state_dict().items()}


def assert_same_state(one, other):
    one, other = state_of(one), state_of(other)
    assert list(one) == list(other)
    for name in one:
        assert one[name].dtype == other[name].dtype
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def config_of(folder):
    return json.loads((folder / "config.json").read_text())


def edit(folder, **fields):
    """Change fields of config.json, or take out those that are `...`; without the SHA-256."""
    config = config_of(folder) | fields
    config.pop("sha256", None)
    kept = {name: value for name, value in config.items() if value is not ...}
    (folder / "config.json").write_text(json.dumps(kept))
