"""The converter carries MViT V2 and ViTDet to the original files and back, and their tables here."""

from itertools import permutations

import numpy as np
import pytest
import torch

from experiments.convert import convert_tensors
from experiments.convert.families import mvit, vitdet
from experiments.convert.reading import read
from experiments.convert.tensors import as_tensor
from experiments.convert.verify import compute, loaded

from .. import budget
from ._bridge import same_bias, same_bits
from ._import import original
from .agreement import SEED, fill, scheme

mvitv2 = original("timm.models.mvitv2")
transformers = original("transformers")
SIDE, DIM = 32, 4
DEPTHS = (1, 2, 2)


def images():
    return np.random.default_rng(SEED).standard_normal((2, 3, SIDE, SIDE))


def filled(model):
    fill(model, np.random.default_rng(SEED), "float64")
    return model.eval()


def timm_model(cls_token):
    config = mvitv2.MultiScaleVitCfg(
        depths=DEPTHS,
        embed_dim=(4, 8, 16),
        num_heads=(1, 2, 4),
        stride_q=((1, 1), (2, 2), (2, 2)),
        use_cls_token=cls_token,
    )
    return mvitv2.MultiScaleVit(config, img_size=(SIDE, SIDE), num_classes=5)


def mvit_file(form, model):
    """Return the model's tensors as its library saves them."""
    state = {name: as_tensor(name, tensor.numpy()) for name, tensor in model.state_dict().items()}
    if form == "here":
        return convert_tensors(state, "here")[0]
    return state if form == "timm" else {as_the_originals(name): t for name, t in state.items()}


def as_the_originals(name):
    """Return facebook's name of a tensor of timm's: the blocks of all stages are one list."""
    parts = name.replace("shortcut_proj_attn", "proj").replace("head.fc", "head.projection").split(".")
    if parts[0] == "stages":
        parts[:4] = ["blocks", str(sum(DEPTHS[: int(parts[1])]) + int(parts[3]))]
    return ".".join(parts)


def mvit_of(form, cls_token, tensors):
    """Return timm's model with these tensors, loaded strictly; timm reads the original files."""
    model = timm_model(cls_token)
    if form == "facebook":
        model.depths = DEPTHS  # which timm's filter asks for and its model does not have
        tensors = mvitv2.checkpoint_filter_fn(dict(tensors), model)
    return loaded("timm", model, tensors)


def mvit_tables(state, model, cls_token):
    """Return a row per block and twin: the bias here and in timm, of pooled queries and keys."""
    found, rng, size, prefix = [], np.random.default_rng(SEED), SIDE // 4, int(cls_token)
    for i, stage in enumerate(model.stages):
        for j, block in enumerate(stage.blocks):
            layer, name = block.attn, f"stages.{i}.blocks.{j}.attn.rel_pos."
            k_side = size // layer.pool_k.stride[0]
            size //= layer.pool_q.stride[0]
            q_size, k_size = (size, size), (k_side, k_side)
            q = rng.standard_normal((2, layer.num_heads, prefix + size**2, DIM))
            scores = torch.zeros(*q.shape[:3], prefix + k_side**2, dtype=torch.float64)
            given = (layer.rel_pos_h, layer.rel_pos_w)
            theirs = mvitv2.cal_rel_pos_type(scores, torch.tensor(q), cls_token, q_size, k_size, *given)
            window = (max(size, k_side),) * 2
            ours = scheme(layer.num_heads, "decomposed", window, head_dim=DIM, num_prefix_tokens=prefix)
            found += same_bias(ours, state, name, theirs.detach(), q, q_size=q_size, k_size=k_size)
    return found


@pytest.mark.parametrize("cls_token", [False, True])
@pytest.mark.parametrize(("source", "target"), [*permutations(mvit.FORMATS, 2)])
def test_mvitv2(bridge, source, target, cls_token):
    """A random model of the source, its file, converted: the target's model computes the same."""
    model = filled(timm_model(cls_token))
    tensors = mvit_file(source, model)
    there, report = convert_tensors(tensors, target)
    back, _ = convert_tensors(there, source, source=target)
    assert (report.family, report.source) == ("mvitv2", source)
    if target == "here":
        rows = mvit_tables(there, model, cls_token)
    else:
        found = compute(mvit_of(target, cls_token, there), images())
        rows = [budget.float64("logits", compute(model, images()), found)]
    bridge(report, rows + same_bits(tensors, back))


def vitdet_model():
    config = transformers.VitDetConfig(
        hidden_size=12,
        num_hidden_layers=3,
        num_attention_heads=3,
        image_size=SIDE,
        pretrain_image_size=SIDE,
        patch_size=8,
        window_size=3,
        window_block_indices=[0, 2],
        residual_block_indices=[1],
        use_relative_position_embeddings=True,
    )
    return transformers.VitDetBackbone(config)


def detectron2(name):
    """Return detectron2's name of a tensor of transformers'."""
    name = name.replace("embeddings.position_embeddings", "pos_embed")
    name = name.replace("embeddings.projection", "patch_embed.proj")
    return "backbone.net." + name.replace("encoder.layer", "blocks").replace("attention", "attn")


def vitdet_tables(state, model):
    found, rng = [], np.random.default_rng(SEED)
    for n, layer in enumerate(model.encoder.layer):
        window = (3, 3) if n != 1 else (4, 4)
        q = rng.standard_normal((2, 3, window[0] * window[1], DIM))
        tables = layer.attention.rel_pos_h, layer.attention.rel_pos_w
        scores = torch.zeros(6, q.shape[2], q.shape[2], dtype=torch.float64)
        theirs = VITDET.add_decomposed_relative_positions(
            scores, torch.tensor(q).flatten(0, 1), *tables, window, window
        )
        theirs = theirs.detach().reshape(2, 3, q.shape[2], q.shape[2])
        ours = scheme(3, "decomposed", window, head_dim=DIM)
        found += same_bias(ours, state, f"blocks.{n}.attn.rel_pos.", theirs, q)
    return found


VITDET = original("transformers.models.vitdet.modeling_vitdet")


@pytest.mark.parametrize(("source", "target"), [*permutations(vitdet.FORMATS, 2)])
def test_vitdet(bridge, tmp_path, source, target):
    """A random backbone's file; the one of detectron2, which is not installed, by its names."""
    model = filled(vitdet_model())
    model.save_pretrained(tmp_path)
    files = {"transformers": read(tmp_path)[0]}
    files["facebook"] = {detectron2(name): t for name, t in files["transformers"].items()}
    files["here"] = convert_tensors(files["facebook"], "here")[0]
    there, report = convert_tensors(files[source], target)
    back, _ = convert_tensors(there, source, source=target)
    assert (report.family, report.source) == ("vitdet", source)
    rows = vitdet_tables(there, model) if target == "here" else []
    if target == "transformers":
        found = [maps(m) for m in (model, loaded(target, vitdet_model(), there))]
        rows = [budget.float64("features", *found)]
    bridge(report, rows + same_bits(files[source], back) + same_bits(files[target], there))


def maps(model):
    with torch.no_grad():
        return model(torch.tensor(images())).feature_maps[-1].numpy()
