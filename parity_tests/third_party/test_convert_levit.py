"""The converter carries LeViT between timm, transformers and the original files, and its tables here."""

from itertools import permutations

import numpy as np
import pytest
import torch

from experiments.convert import convert_tensors
from experiments.convert.families.levit import FORMATS
from experiments.convert.reading import read
from experiments.convert.tensors import as_tensor
from experiments.convert.verify import compute, loaded

from .. import budget
from ._bridge import random_norms, same_bias, same_bits
from ._import import original
from .agreement import SEED, fill, scheme

library = original("timm.models.levit")
transformers = original("transformers")
SIDE = 64
DIMS, HEADS, DEPTHS = (16, 24, 32), (2, 3, 4), (2, 1, 1)


def timm_model():
    sizes = {"embed_dim": DIMS, "num_heads": HEADS, "depth": DEPTHS, "key_dim": 4}
    return library.LevitDistilled(SIDE, num_classes=5, **sizes)


def transformers_model():
    config = transformers.LevitConfig(
        image_size=SIDE,
        hidden_sizes=DIMS,
        num_attention_heads=HEADS,
        depths=DEPTHS,
        key_dim=(4, 4, 4),
        num_labels=5,
    )
    return transformers.LevitForImageClassificationWithTeacher(config)


def random_model(form):
    """Return a library's model with random weights; timm's where no library has the format."""
    torch.manual_seed(SEED)
    model = transformers_model() if form == "transformers" else timm_model()
    rng = np.random.default_rng(SEED)
    fill(model, rng, "float64")
    return random_norms(model, rng).eval()


def file_of(form, model, folder):
    """Return the model's tensors as its library saves them."""
    if form == "transformers":
        model.save_pretrained(folder)
        return read(folder)[0]
    state = {name: as_tensor(name, tensor.numpy()) for name, tensor in model.state_dict().items()}
    if form == "here":
        return convert_tensors(state, "here")[0]
    if form == "facebook":
        state = dict(zip(original_names(), state.values(), strict=True)) | indices(model)
    return state


def original_names():
    """Return the names in facebook's files, in the order that timm's modules are in too.

    timm's own conversion of the files went by that order.
    """
    norm = [f"bn.{n}" for n in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")]

    def linears(*paths):
        return [f"{path}.{name}" for path in paths for name in ("c.weight", *norm)]

    names, n = linears(*(f"patch_embed.{i}" for i in (0, 2, 4, 6))), 0
    for stage, depth in enumerate(DEPTHS):
        if stage:
            names += [f"blocks.{n}.attention_biases"]
            names += linears(*(f"blocks.{n}.{name}" for name in ("kv", "q.1", "proj.1")))
            names += linears(f"blocks.{n + 1}.m.0", f"blocks.{n + 1}.m.2")
            n += 2
        for _ in range(depth):
            names += [f"blocks.{n}.m.attention_biases"]
            names += linears(f"blocks.{n}.m.qkv", f"blocks.{n}.m.proj.1")
            names += linears(f"blocks.{n + 1}.m.0", f"blocks.{n + 1}.m.2")
            n += 2
    last = [*norm, "l.weight", "l.bias"]
    return names + [f"{head}.{name}" for head in ("head", "head_dist") for name in last]


def indices(model):
    """Return the indices that facebook's files have beside the tables."""
    tables = [name for name in original_names() if name.endswith("attention_biases")]
    found = [b for name, b in model.named_buffers() if name.endswith("attention_bias_idxs")]
    return {
        table.replace("biases", "bias_idxs"): as_tensor(table, index.numpy())
        for table, index in zip(tables, found, strict=True)
    }


def model_of(form, tensors):
    """Return a library's model with these tensors, loaded strictly; timm's for the original files."""
    if form == "facebook":
        expected = {**dict.fromkeys(original_names()), **indices(timm_model())}
        assert tensors.keys() == expected.keys()
        for name, index in expected.items():
            assert index is None or np.array_equal(tensors[name].array, index.array)
        tensors = {
            name: tensors[old]
            for name, old in zip(timm_model().state_dict(), original_names(), strict=True)
        }
    model = transformers_model() if form == "transformers" else timm_model()
    return loaded("transformers" if form == "transformers" else "timm", model, tensors)


def tables(state, model):
    """Return a row per table and twin: the bias here, and that of the model of timm or transformers."""
    layers = [layer for layer in model.modules() if hasattr(layer, "attention_biases")]
    prefixes = [name.partition("relative_")[0] for name in state if ".rel_pos." in name]
    ordered = sorted(prefixes, key=lambda name: (name.split(".")[1], "blocks" in name, name))
    found = []
    for prefix, layer in zip(ordered, layers, strict=True):
        bias = layer.attention_biases[:, layer.attention_bias_idxs]
        heads, queries, keys = bias.shape
        side, stride = round(keys**0.5), 1 if queries == keys else 2
        ours = scheme(heads, "levit", (side, side), stride=stride)
        found += same_bias(ours, state, prefix, bias)
    return found


@pytest.mark.parametrize(("source", "target"), [*permutations(FORMATS, 2)])
def test_levit(bridge, tmp_path, source, target):
    """A random model of the source, its file, converted: the target's model computes the same."""
    model = random_model(source)
    tensors = file_of(source, model, tmp_path)
    there, report = convert_tensors(tensors, target)
    back, _ = convert_tensors(there, source, source=target)
    assert (report.family, report.source, report.carried) == ("levit", source, {})
    if target == "here":
        rows = tables(there, model)
    else:
        images = np.random.default_rng(SEED).standard_normal((2, 3, SIDE, SIDE))
        theirs = compute(model, images)
        rows = [budget.float64("logits", theirs, compute(model_of(target, there), images))]
    bridge(report, rows + same_bits(tensors, back))
