"""The converter gives the tables of T5, UMT5 and MPNet this project's names, and carries the rest."""

import numpy as np
import pytest

from experiments.convert import convert_tensors
from experiments.convert.reading import read
from experiments.convert.verify import loaded

from .. import budget
from ._bridge import same_bias, same_bits
from ._import import original
from .agreement import SEED, fill, scheme

transformers = original("transformers")
HEADS, LENGTH = 3, 40
T5 = {"d_model": 12, "d_kv": 4, "num_heads": HEADS, "num_layers": 2, "d_ff": 8, "vocab_size": 11}
T5 |= {"relative_attention_num_buckets": 8, "relative_attention_max_distance": 20}
BUCKETS = {"num_buckets": 8, "max_distance": 20}


def t5_model(kind):
    library = {"t5": (transformers.T5ForConditionalGeneration, transformers.T5Config)}
    library["classifier"] = (transformers.T5ForTokenClassification, transformers.T5Config)
    library["umt5"] = (transformers.UMT5Model, transformers.UMT5Config)
    model, config = library[kind]
    return model(config(**T5))


def mpnet_model(kind):
    config = transformers.MPNetConfig(
        hidden_size=12,
        num_attention_heads=HEADS,
        num_hidden_layers=2,
        intermediate_size=12,
        vocab_size=11,
    )
    return {"model": transformers.MPNetModel, "masked": transformers.MPNetForMaskedLM}[kind](config)


def t5_tables(model):
    """Yield (name of the table's layer, its bias, whether it looks both ways)."""
    for name, layer in model.named_modules():
        if hasattr(layer, "relative_attention_bias") and hasattr(layer, "compute_bias"):
            yield name, layer.compute_bias(LENGTH, LENGTH)[0], "encoder" in name


def mpnet_tables(model):
    for name, layer in model.named_modules():
        if hasattr(layer, "compute_position_bias"):
            x = layer.relative_attention_bias.weight.new_zeros(1, LENGTH, 1)
            yield name, layer.compute_position_bias(x)[0], True


def check(bridge, model, folder, family, tables, **buckets):
    """Compare every bias with the one of the scheme here; there and back the file loads strictly."""
    fill(model, np.random.default_rng(SEED), "float64")
    model.eval().save_pretrained(folder)
    saved = read(folder)[0]
    there, report = convert_tensors(saved, "here")
    back, _ = convert_tensors(there, "transformers")
    assert (report.family, report.source) == (family, "transformers")
    expected = list(tables(model))
    assert sum(report.mapped.values()) == len(expected) == len(saved) - sum(report.carried.values())
    again = tables(loaded("transformers", type(model)(model.config), back))
    rows = []
    for (name, bias, both_ways), (_, same, _) in zip(expected, again, strict=True):
        ours = scheme(HEADS, "t5", LENGTH, bidirectional=both_ways, **buckets)
        rows += same_bias(ours, there, f"{name}.rel_pos.", bias.detach())
        rows.append(budget.exact(f"{name} again", bias.detach().numpy(), same.detach().numpy()))
    bridge(report, rows + same_bits(saved, back))


@pytest.mark.parametrize("kind", ["t5", "classifier", "umt5"])
def test_t5(bridge, tmp_path, kind):
    check(bridge, t5_model(kind), tmp_path, "t5", t5_tables, **BUCKETS)


@pytest.mark.parametrize("kind", ["model", "masked"])
def test_mpnet(bridge, tmp_path, kind):
    check(bridge, mpnet_model(kind), tmp_path, "mpnet", mpnet_tables)
