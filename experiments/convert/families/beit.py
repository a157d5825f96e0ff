"""BEiT and BEiT v2 (arXiv 2106.08254, 2208.06366), and Data2Vec-vision, which has the same model.

Sizes: D channels, C channels of an image, P × Q a patch, L tokens, N classes, M hidden features of the
MLP, R rows of a table, H heads.
"""

from ..rules import Family, Place
from ._vit_arguments import beit, beit_index
from ._vit_models import BEIT, DATA2VEC

FORMATS = ("timm", "transformers", "microsoft", "here")
TABLE = "relative_position_bias_table"
INDEX = "relative_position_index"


def attention(name):
    """Return transformers' names of the separate queries, keys and values."""
    return tuple(f"attention.attention.{part}.{name}" for part in ("query", "key", "value"))


def places(model):
    """Return the whole, the head and a block; model: transformers' prefix."""
    block = Place(FORMATS, "blocks.{i}.", transformers=model + ".encoder.layer.{i}.")
    return Place(FORMATS, "", transformers=f"{model}."), Place(FORMATS, ""), block


def rules(model):
    root, head, block = places(model)
    query, _, value = attention("bias")
    return (
        *root.rule("1 1 D", "cls_token", transformers="embeddings.cls_token"),
        *root.rule("1 L D", "pos_embed", transformers="embeddings.position_embeddings", optional=True),
        *root.rule(
            "D C P Q", "patch_embed.proj.*", transformers="embeddings.patch_embeddings.projection.*"
        ),
        *root.rule(
            "R H",
            f"shared_rel_pos.{TABLE}",
            timm=f"rel_pos_bias.{TABLE}",
            microsoft=f"rel_pos_bias.{TABLE}",
            transformers=f"encoder.relative_position_bias.{TABLE}",
            optional=True,
            tells=True,
        ),
        *block.rule("D", "norm1.*", transformers="layernorm_before.*"),
        *block.rule("3D D", "attn.qkv.weight", transformers=attention("weight")),
        *block.rule(
            "3D",
            ("attn.q_bias", None, "attn.v_bias"),
            transformers=(query, None, value),
            optional=True,
        ),
        *block.rule(
            "R H",
            f"attn.rel_pos.{TABLE}",
            timm=f"attn.{TABLE}",
            microsoft=f"attn.{TABLE}",
            transformers=f"attention.attention.relative_position_bias.{TABLE}",
            optional=True,
            tells=True,
        ),
        *block.rule("D D", "attn.proj.*", transformers="attention.output.dense.*"),
        *layer_scale(block, 1),
        *block.rule("D", "norm2.*", transformers="layernorm_after.*"),
        *block.rule("M D", "mlp.fc1.*", transformers="intermediate.dense.*"),
        *block.rule("D M", "mlp.fc2.*", transformers="output.dense.*"),
        *layer_scale(block, 2),
        *root.rule("D", "norm.*", transformers="layernorm.*", optional=True),
        *root.rule("D", "fc_norm.*", transformers="pooler.layernorm.*", optional=True),
        *head.rule("N D", "head.*", transformers="classifier.*", optional=True),
    )


def layer_scale(block, branch):
    names = dict.fromkeys(("timm", "microsoft"), f"gamma_{branch}")
    return block.rule(
        "D",
        f"ls{branch}.gamma",
        **names,
        transformers=f"lambda_{branch}",
        optional=True,
        group="layer scale",
    )


def buffers(model):
    """Return the index of each table; l: class token and patches."""
    root, _, block = places(model)
    old = f"attention.attention.relative_position_bias.{INDEX}"
    return (
        block.buffer("l l", beit_index, ("microsoft",), microsoft=f"attn.{INDEX}", transformers=old),
        root.buffer(
            "l l",
            beit_index,
            ("microsoft",),
            microsoft=f"rel_pos_bias.{INDEX}",
            transformers=f"encoder.relative_position_bias.{INDEX}",
        ),
    )


# transformers 5 renames BEiT in memory; its files keep the names of transformers 4.
IN_MEMORY = (
    (r"^beit\.layers\.", "beit.encoder.layer."),
    (r"^beit\.shared_position_bias\.", "beit.encoder.relative_position_bias."),
    (r"(?<=\d)\.relative_position_bias\.", ".attention.attention.relative_position_bias."),
    (r"attention\.q_proj", "attention.attention.query"),
    (r"attention\.k_proj", "attention.attention.key"),
    (r"attention\.v_proj", "attention.attention.value"),
    (r"attention\.o_proj", "attention.output.dense"),
    (r"mlp\.fc1", "intermediate.dense"),
    (r"mlp\.fc2", "output.dense"),
)


def without_head(model):
    """Return transformers' alias of a BeitModel's names, which lack the prefix of the whole."""
    return (r"^(?=embeddings\.|encoder\.|layernorm\.|pooler\.)", f"{model}.")


FAMILIES = tuple(
    Family(
        name,
        formats,
        rules(model),
        buffers=buffers(model),
        arguments=beit,
        aliases={"transformers": (without_head(model), *renamed)},
        models=models,
    )
    for name, model, formats, renamed, models in (
        ("beit", "beit", FORMATS, IN_MEMORY, BEIT),
        ("data2vec", "data2vec_vision", ("transformers", "here"), (), DATA2VEC),
    )
)
