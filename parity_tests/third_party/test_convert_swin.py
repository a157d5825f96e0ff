"""The converter carries Swin V1 and V2 between every two formats: logits, and the same bits back."""

from itertools import permutations

import numpy as np
import pytest
import torch

import numpy_ref
from experiments.convert import convert_tensors
from experiments.convert.families import _swin_models as models
from experiments.convert.families.swin import FORMATS
from experiments.convert.verify import compute, in_float64, loaded

from .. import budget
from ._bridge import file_of, same_bits
from ._import import original
from .agreement import SEED, fill

timm = original("timm")
original("torchvision")
original("transformers")
FILTERS = {
    1: timm.models.swin_transformer.checkpoint_filter_fn,
    2: timm.models.swin_transformer_v2.checkpoint_filter_fn,
}
VALUES = {
    "img_size": [32, 48],
    "patch_size": [2, 2],
    "in_chans": 3,
    "num_classes": 5,
    "embed_dim": 12,
    "depths": [2, 2],
    "num_heads": [2, 3],
    "window_size": [4, 4],
    "always_partition": False,
    "mlp_ratio": 3.0,
    "qkv_bias": True,
    "norm_eps": 1e-5,
}
OPTIONS = {"img_size": (32, 48), "window_size": (4, 4)}
LIBRARIES = ("timm", "torchvision", "transformers")


def values_of(version):
    return VALUES | {"version": version} | ({"pretrained_window_sizes": [0, 0]} if version == 2 else {})


def random_model(form, version):
    """Return a library's model with random weights; timm's for the original files."""
    torch.manual_seed(SEED)
    model = models.MODELS["timm" if form == "microsoft" else form](values_of(version))
    fill(model, np.random.default_rng(SEED), "float64")
    if (form, version) == ("torchvision", 2):  # has a bias of the keys, but puts zeros in its place
        for name, parameter in model.named_parameters():
            if name.endswith("qkv.bias"):
                parameter.data.chunk(3)[1].zero_()
    return model.eval()


def original_name(name):
    """Return Microsoft's name of a tensor of timm's."""
    parts = name.replace("head.fc.", "head.").split(".")
    if "downsample" in parts:
        parts[1] = str(int(parts[1]) - 1)
    return ".".join(parts)


def model_of(form, version, tensors):
    """Return a format's model with these tensors, loaded strictly; timm reads the original files."""
    if form != "microsoft":
        return loaded(form, models.MODELS[form](values_of(version)), tensors)
    model = models.timm(values_of(version)).double()
    state = {name: torch.tensor(tensor.array) for name, tensor in tensors.items()}
    model.load_state_dict(FILTERS[version](state, model))
    return in_float64(model).eval()


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(("source", "target"), [*permutations(FORMATS, 2)])
def test_swin(bridge, tmp_path, version, source, target):
    """A random model of the source, its file, converted: the target's model computes the same."""
    model = random_model(source, version)
    tensors = file_of(source, model, tmp_path, original_name)
    there, report = convert_tensors(tensors, target, options=OPTIONS)
    back, _ = convert_tensors(there, source, source=target, options=OPTIONS)
    images = np.random.default_rng(SEED).standard_normal((2, 3, *VALUES["img_size"]))
    theirs = compute(in_float64(model), images)
    rows = [budget.float64("logits", theirs, compute(model_of(target, version, there), images))]
    if target == "here":
        twin = numpy_ref.SwinTransformer(**values_of(version), dtype="float64").eval()
        twin.load_state_dict({name: tensor.array for name, tensor in there.items()})
        rows.append(budget.float64("logits of the NumPy twin", theirs, twin(images)))
    assert (report.family, report.source) == (("swin", "swinv2")[version - 1], source)
    bridge(report, rows + same_bits(tensors, back))
