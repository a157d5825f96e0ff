"""What docs/ says about other projects' models: the names of their parameters, the bias they use."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn

from ._import import original

timm = original("timm")
swin = original("transformers.models.swin")
swinv2 = original("transformers.models.swinv2")
beit = original("transformers.models.beit")
data2vec = original("transformers.models.data2vec")
t5 = original("transformers.models.t5")
torchvision = original("torchvision.models")

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
SIZES = {"image_size": 32, "patch_size": 4, "embed_dim": 8, "depths": [1], "num_heads": [2]}
BEIT = {"image_size": 32, "patch_size": 8, "hidden_size": 8, "num_hidden_layers": 1}
BEIT |= {"num_attention_heads": 2, "intermediate_size": 16}
SHARED = {"use_shared_rel_pos_bias": True, "use_rel_pos_bias": False}
MODELS = {
    "timm": {
        "Swin": lambda: timm.create_model("swin_tiny_patch4_window7_224"),
        "Swin V2": lambda: timm.create_model("swinv2_tiny_window8_256"),
        "BEiT": lambda: timm.create_model("beit_base_patch16_224"),
        "BEiT shared": lambda: timm.create_model("beit_base_patch16_224", **SHARED),
        "ViT-relpos": lambda: timm.create_model("vit_relpos_small_patch16_224"),
    },
    "transformers": {
        "Swin": lambda: swin.SwinModel(swin.SwinConfig(**SIZES)),
        "Swin V2": lambda: swinv2.Swinv2Model(swinv2.Swinv2Config(**SIZES)),
        "BEiT": lambda: beit.BeitModel(beit.BeitConfig(**BEIT, use_relative_position_bias=True)),
        "BEiT shared": lambda: beit.BeitModel(
            beit.BeitConfig(**BEIT, use_shared_relative_position_bias=True)
        ),
        "T5": lambda: t5.T5Model(t5.T5Config(d_model=8, d_kv=4, num_heads=2, num_layers=1, d_ff=8)),
    },
}


def printed():
    """Return {(library, model): names of parameters} from the table of docs/api.md."""
    found = {}
    table = PAGE.read_text().partition("| here | timm | transformers |")[2].partition("\n\n")[0]
    for row in table.splitlines()[2:]:
        for library, cell in zip(MODELS, row.split(" | ")[1:3], strict=True):
            for part in cell.split("; "):
                model, colon, names = part.partition(": ")
                assert colon or part == "–", part
                found.setdefault((library, model), []).extend(re.findall("`([^`]+)`", names))
    return {key: names for key, names in found.items() if key[1] != "–"}


@pytest.mark.parametrize(("library", "model"), [(lib, m) for lib in MODELS for m in MODELS[lib]])
def test_parameters_are_called_what_the_page_says(library, model):
    names = printed()[library, model]
    with torch.device("meta"):
        keys = MODELS[library][model]().state_dict().keys()
    for name in names:
        pattern = re.compile(r"(.+\.)?" + re.escape(name).replace("N", r"\d+"))
        assert any(pattern.fullmatch(key) for key in keys), name


def test_the_page_names_no_other_models():
    assert printed().keys() == {(library, model) for library in MODELS for model in MODELS[library]}


NORMS = {
    "timm": MODELS["timm"],
    "transformers": MODELS["transformers"]
    | {"Data2Vec": lambda: data2vec.Data2VecVisionModel(data2vec.Data2VecVisionConfig(**BEIT))},
    "torchvision": {"Swin": torchvision.swin_t, "Swin V2": torchvision.swin_v2_t},
}


def printed_eps():
    """Return {(library, model): eps} from the table of docs/api.md."""
    table = PAGE.read_text().partition("| `norm_eps` of | ")[2].partition("\n\n")[0]
    head, _, *rows = ([cell.strip() for cell in row.split("|")] for row in table.splitlines())
    cells = {
        (library, row[1]): cell
        for row in rows
        for library, cell in zip(head[:-1], row[2:-1], strict=True)
    }
    return {key: float(cell) for key, cell in cells.items() if cell != "–"}


@pytest.mark.parametrize(("library", "model"), printed_eps())
def test_norms_have_the_eps_that_the_page_says(library, model):
    with torch.device("meta"):
        layers = NORMS[library][model]().modules()
    found = {layer.eps for layer in layers if isinstance(layer, nn.LayerNorm)}
    assert found == {printed_eps()[library, model]}


def test_all_relpos_vits_of_timm_use_the_mlp():
    kinds = (timm.layers.RelPosMlp, timm.layers.RelPosBias)
    for name in timm.list_models("vit_*relpos*"):
        with torch.device("meta"):
            biases = [m for m in timm.create_model(name).modules() if isinstance(m, kinds)]
        assert {(type(bias), bias.mode) for bias in biases} == {(timm.layers.RelPosMlp, "cr")}, name
