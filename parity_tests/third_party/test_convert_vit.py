"""The converter carries BEiT, Data2Vec-vision and ViT-relpos between every two formats."""

from itertools import permutations

import numpy as np
import pytest
import torch

import numpy_ref
from experiments.convert import convert_tensors
from experiments.convert.families import FAMILIES
from experiments.convert.verify import compute, in_float64, loaded

from .. import budget
from ._bridge import file_of, same_bits
from ._import import original
from .agreement import SEED, fill

timm = original("timm")
original("transformers")
BY_NAME = {family.name: family for family in FAMILIES}
COMMON = {
    "img_size": [12, 12],
    "patch_size": [4, 4],
    "in_chans": 3,
    "num_classes": 5,
    "embed_dim": 12,
    "depth": 2,
    "num_heads": 3,
    "mlp_ratio": 3.0,
    "qkv_bias": True,
    "norm_eps": 1e-6,
}
BEIT = COMMON | {
    "global_pool": "avg",
    "position": "relative",
    "rpb_kwargs": {"bias_type": "2d"},
    "init_values": 1.0,
    "class_token": True,
    "fc_norm": True,
    "use_abs_pos_emb": False,
    "k_bias": False,
}
TOKEN = {"global_pool": "token", "fc_norm": False}
SHARED = {"position": "shared_relative"}
RELPOS = BEIT | {
    "rpb_kwargs": {"bias_type": "rel_pos_mlp", "hidden_features": 7, "mode": "cr"},
    "class_token": False,
    "fc_norm": False,
    "res_post_norm": False,
}
RELPOS.pop("k_bias")
VARIANTS = {
    "beit": {
        "plain": BEIT,
        "shared, token, absolute": BEIT | SHARED | TOKEN | {"use_abs_pos_emb": True},
        "no layer scale": BEIT | {"init_values": None},
    },
    "data2vec": {"plain": BEIT},
    "relpos": {
        "plain": RELPOS | {"qkv_bias": False, "fc_norm": True},
        "shared": RELPOS | SHARED,
        "post-norm": RELPOS | {"init_values": None, "res_post_norm": True},
        "token": RELPOS | TOKEN | {"class_token": True},
        "swin": RELPOS | {"rpb_kwargs": RELPOS["rpb_kwargs"] | {"mode": "swin"}},
        "table": RELPOS | {"rpb_kwargs": {"bias_type": "2d"}},
    },
}
CASES = [
    pytest.param(name, variant, source, target, id=f"{name}-{variant}-{source}-{target}")
    for name, variants in VARIANTS.items()
    for variant in variants
    for source, target in permutations(BY_NAME[name].formats, 2)
]


def model_of(name, form, values, tensors=None):
    """Return a format's model, with random weights or with these; timm's for the original files."""
    torch.manual_seed(SEED)
    model = BY_NAME[name].models["timm" if form == "microsoft" else form](values)
    if tensors is None:
        fill(model, np.random.default_rng(SEED), "float64")
        return model.eval()
    if form != "microsoft":
        return loaded(form, model, tensors)
    state = {n: torch.tensor(tensor.array) for n, tensor in tensors.items()}
    model.double().load_state_dict(timm.models.beit.checkpoint_filter_fn(state, model))
    return model.eval()


@pytest.mark.parametrize(("name", "variant", "source", "target"), CASES)
def test_vit(bridge, tmp_path, name, variant, source, target):
    """A random model of the source, its file, converted: the target's model computes the same."""
    values = VARIANTS[name][variant]
    model = model_of(name, source, values)
    tensors = file_of(source, model, tmp_path)
    options = {"img_size": (12, 12)}
    there, report = convert_tensors(tensors, target, name, source, options=options, with_arguments=True)
    back, _ = convert_tensors(there, source, name, target, options=options)
    told = report.arguments.values
    assert told | {"res_post_norm": values.get("res_post_norm")} == values | {
        "res_post_norm": told.get("res_post_norm")
    }
    images = np.random.default_rng(SEED).standard_normal((2, 3, 12, 12))
    theirs = compute(in_float64(model), images)
    rows = [budget.float64("logits", theirs, compute(model_of(name, target, values, there), images))]
    if target == "here":
        twin = numpy_ref.VisionTransformer(**told, dtype="float64").eval()
        twin.load_state_dict({n: tensor.array for n, tensor in there.items()})
        rows.append(budget.float64("logits of the NumPy twin", theirs, twin(images)))
    bridge(report, rows + same_bits(tensors, back))
