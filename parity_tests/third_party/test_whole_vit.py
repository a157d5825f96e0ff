"""Whole models, both twins: timm's BEiT, BEiT v2 and ViT-relpos, transformers' BEiT and Data2Vec-vision.

Compared are the logits, the output of every block, and the gradients of the images and of every
parameter under the original's name. Most models are narrow, with two blocks. BEiT-B has its own width
and grid with two blocks, the small ViT-relpos are whole.
"""

import re
from functools import partial

import pytest
import torch
from torch import nn

from .. import budget
from ._convert import in_float64
from ._import import original
from ._windows import cr_coordinates, offsets
from .agreement import Agreement, Ours

timm = original("timm")
timm_beit = original("timm.models.beit")
relpos = original("timm.models.vision_transformer_relpos")
beit = original("transformers.models.beit.modeling_beit")
data2vec = original("transformers.models.data2vec.modeling_data2vec_vision")

NARROW = {"embed_dim": 24, "num_heads": 3, "depth": 2, "num_classes": 5}
SIZES = {"square": (64, 64), "oblong": (48, 80)}
each_size = pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)


def renamed(parameters, rules):
    """Return the parameters, with the rules (pattern, replacement) applied to each name in turn."""
    state = {}
    for name, parameter in parameters.items():
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)
        state[name] = parameter
    return with_one_bias(state)


def with_one_bias(state):
    """Add a bias that is shared to those of the layers, if there are both: the sum is one per layer."""
    tables = [n for n in state if n.endswith("attn.rel_pos.relative_position_bias_table")]
    if tables and "shared_rel_pos.relative_position_bias_table" in state:
        shared = state.pop("shared_rel_pos.relative_position_bias_table")
        state |= {name: state[name] + shared for name in tables}
    return state


def whole(model, state, theirs=None, stages=None, batch=2, **options):
    """Return the Agreement of a model with our VisionTransformer(**options) of 16 × 16 patches."""
    options = {"patch_size": 16, "in_chans": 3, "global_pool": "avg", **options}
    bias_type = options.get("rpb_kwargs", {}).get("bias_type", "2d")
    return Agreement(
        Ours("VisionTransformer", bias_type, options),
        model,
        theirs or model,
        state,
        {"images": (batch, 3, *options["img_size"])},
        stages=stages or model.blocks,
    )


TIMM_BEIT = [
    (r"\.gamma_(\d)$", r".ls\1.gamma"),
    (r"\.attn\.relative_position", ".attn.rel_pos.relative_position"),
    (r"^rel_pos_bias\.", "shared_rel_pos."),
]
BEIT = {"class_token": True, "fc_norm": True, "k_bias": False, "init_values": 1.0}
BEIT_VARIANTS = {
    "plain": ({}, {}),
    "absolute": ({"use_abs_pos_emb": True}, {"use_abs_pos_emb": True}),
    "shared": (
        {"use_rel_pos_bias": False, "use_shared_rel_pos_bias": True},
        {"position": "shared_relative"},
    ),
    "both": ({"use_shared_rel_pos_bias": True}, {}),
    "token": ({"global_pool": "token"}, {"global_pool": "token", "fc_norm": False}),
}


@each_size
@pytest.mark.parametrize(
    ("name", "variant"),
    [
        *(("beit_base_patch16_224", variant) for variant in BEIT_VARIANTS),
        ("beitv2_base_patch16_224", "plain"),
    ],
)
def test_timm_beit(agree, name, variant, size):
    theirs, ours = BEIT_VARIANTS[variant]
    model = timm.create_model(name, img_size=size, **NARROW, **theirs)
    agree(whole(model, partial(renamed, rules=TIMM_BEIT), img_size=size, **NARROW, **BEIT | ours))


def test_timm_beit_base(agree):
    """BEiT-B with 224 × 224 pixels, two of its twelve blocks."""
    model = timm.create_model("beit_base_patch16_224", depth=2)
    sizes = {"embed_dim": 768, "num_heads": 12, "depth": 2, "num_classes": 1000}
    state = partial(renamed, rules=TIMM_BEIT)
    agree(whole(model, state, batch=1, img_size=(224, 224), **sizes, **BEIT))


def relpos_options(model):
    """Return the options of ours that make timm's ViT-relpos, read off the model."""
    block = model.blocks[0]
    shared = model.shared_rel_pos is not None
    scheme = model.shared_rel_pos if shared else block.attn.rel_pos
    return {
        "img_size": model.patch_embed.img_size,
        "patch_size": model.patch_embed.patch_size,
        "embed_dim": model.embed_dim,
        "depth": len(model.blocks),
        "num_heads": block.attn.num_heads,
        "num_classes": model.num_classes,
        "global_pool": model.global_pool,
        "class_token": model.cls_token is not None,
        "fc_norm": isinstance(model.fc_norm, nn.LayerNorm),
        "qkv_bias": block.attn.qkv.bias is not None,
        "position": "shared_relative" if shared else "relative",
        "rpb_kwargs": {"bias_type": "rel_pos_mlp", "hidden_features": scheme.mlp.fc1.out_features},
        "res_post_norm": isinstance(block, relpos.ResPostRelPosBlock),
        "init_values": 1.0,
    }


def relpos_agreement(model, batch=2):
    """Return the Agreement of a ViT-relpos, whose names are ours.

    Its coordinates are computed in float32, here replaced by float64 ones.
    """
    grid = model.patch_embed.grid_size
    for bias in (m for m in model.modules() if isinstance(m, timm.layers.RelPosMlp)):
        bias.rel_coords_log = in_float64(bias.rel_coords_log, cr_coordinates, offsets(grid))
    return whole(model, dict, batch=batch, **relpos_options(model))


def narrow_relpos(name, size):
    patch = {"patch_size": 16}  # one has 32
    return relpos_agreement(timm.create_model(name, img_size=size, **NARROW | patch))


@pytest.mark.parametrize("name", timm.list_models("vit_*relpos*"))
def test_timm_relpos(agree, name):
    """Every ViT-relpos that timm has registered, with its own options."""
    agree(narrow_relpos(name, SIZES["square"]))


@pytest.mark.parametrize(
    "name",
    [
        "vit_relpos_small_patch16_224",
        "vit_relpos_small_patch16_rpn_224",
        "vit_relpos_medium_patch16_cls_224",
        "vit_relpos_base_patch16_clsgap_224",
        "vit_srelpos_small_patch16_224",
    ],
)
def test_timm_relpos_oblong(agree, name):
    agree(narrow_relpos(name, SIZES["oblong"]))


@pytest.mark.parametrize("name", ["vit_relpos_small_patch16_224", "vit_relpos_small_patch16_rpn_224"])
def test_timm_relpos_small(agree, name):
    """The whole model with 224 × 224 pixels and all of its twelve blocks."""
    agree(relpos_agreement(timm.create_model(name), batch=1))


TRANSFORMERS = [
    (r"^(beit|data2vec_vision)\.", ""),
    (r"^embeddings\.position_embeddings$", "pos_embed"),
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^embeddings\.", ""),
    (r"^shared_position_bias\.|^encoder\.relative_position_bias\.", "shared_rel_pos."),
    (r"^layers\.|^encoder\.layer\.", "blocks."),
    (r"\.attention\.attention\.", ".attention."),
    (r"\.(attention\.)?relative_position_bias\.", ".attn.rel_pos."),
    (r"\.attention\.(q|k|v)(_proj|uery|ey|alue)\.", r".attn.\1."),
    (r"\.attention\.(o_proj|output\.dense)\.", ".attn.proj."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"\.output\.dense\.", ".mlp.fc2."),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
    (r"\.lambda_(\d)$", r".ls\1.gamma"),
    (r"^pooler\.layernorm\.", "fc_norm."),
    (r"^layernorm\.", "norm."),
    (r"^classifier\.", "head."),
]


def transformers_state(parameters):
    """Map the names, and join the three projections of each layer."""
    state = renamed(parameters, TRANSFORMERS)
    for name in [name for name in state if name.endswith("attn.q.weight")]:
        attn = name.removesuffix("q.weight")
        state[f"{attn}qkv.weight"] = torch.cat([state.pop(f"{attn}{part}.weight") for part in "qkv"])
        for part in "qv":
            state[f"{attn}{part}_bias"] = state.pop(f"{attn}{part}.bias")
    return state


def look_up(bias, forward, grid, *_, **__):
    """Return transformers' bias (1, H, L, L) as its own index says.

    The original resizes its table as one of (width, height), even to the same size. That mixes up the
    offsets of a grid with unequal sides.
    """
    index = bias.generate_relative_position_index(grid)
    right = bias.relative_position_bias_table[index].permute(2, 0, 1)[None]
    same = budget.float64("bias", right.detach().numpy(), forward(grid).detach().numpy()).ok
    assert same == (grid[0] == grid[1]), "mended: compare with what it returns"
    return right


def keep_embedding(embeddings, forward, tokens, height, width):
    """Return transformers' absolute embedding without a change of size.

    The original resizes it for an image with unequal sides, and takes it for that of a square.
    """
    if height == width:
        return forward(tokens, height, width)
    with pytest.raises(RuntimeError, match="invalid for input of size"):
        forward(tokens, height, width)
    return embeddings.position_embeddings


def mend(model):
    """Replace what the original does wrong for an image with unequal sides."""
    for part in model.modules():
        if isinstance(part, beit.BeitRelativePositionBias | data2vec.Data2VecVisionRelativePositionBias):
            part.forward = partial(look_up, part, part.forward)
        if isinstance(part, beit.BeitEmbeddings | data2vec.Data2VecVisionEmbeddings):
            part.interpolate_pos_encoding = partial(keep_embedding, part, part.interpolate_pos_encoding)


PER_LAYER = {"use_relative_position_bias": True}
TRANSFORMERS_VARIANTS = {
    "plain": (PER_LAYER, {}),
    "absolute": (PER_LAYER | {"use_absolute_position_embeddings": True}, {"use_abs_pos_emb": True}),
    "shared": ({"use_shared_relative_position_bias": True}, {"position": "shared_relative"}),
    "both": (PER_LAYER | {"use_shared_relative_position_bias": True}, {}),
    "token": (PER_LAYER | {"use_mean_pooling": False}, {"global_pool": "token", "fc_norm": False}),
}


@each_size
@pytest.mark.parametrize("variant", TRANSFORMERS_VARIANTS)
@pytest.mark.parametrize("kind", ["beit", "data2vec"])
def test_transformers(agree, kind, variant, size):
    """BEiT and Data2Vec-vision: eps 1e-12, and SDPA, as eager attention has its softmax in float32."""
    theirs, ours = TRANSFORMERS_VARIANTS[variant]
    config, model = {
        "beit": (beit.BeitConfig, beit.BeitForImageClassification),
        "data2vec": (data2vec.Data2VecVisionConfig, data2vec.Data2VecVisionForImageClassification),
    }[kind]
    config = config(
        image_size=size,
        hidden_size=NARROW["embed_dim"],
        num_attention_heads=NARROW["num_heads"],
        num_hidden_layers=NARROW["depth"],
        intermediate_size=4 * NARROW["embed_dim"],
        num_labels=NARROW["num_classes"],
        **theirs,
    )
    config._attn_implementation = "sdpa"
    model = model(config)
    mend(model)
    stages = model.beit.layers if kind == "beit" else model.data2vec_vision.encoder.layer
    options = {"img_size": size, "norm_eps": 1e-12} | NARROW | BEIT | ours
    agree(whole(model, transformers_state, lambda images: model(images).logits, list(stages), **options))
