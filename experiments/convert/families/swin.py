"""Swin Transformer, version 1 (arXiv 2103.14030) and 2 (arXiv 2111.09883).

Sizes: D, F channels of the first and the last stage, C channels of an image, P × Q a patch, N classes.
Of a stage: d channels, h heads, m hidden features of the MLP, r rows of the table, k hidden features of
the MLP that makes version 2's bias.
"""

from ..rules import Family, Place
from ._swin_arguments import arguments, buffers
from ._swin_models import MODELS

FORMATS = ("timm", "torchvision", "transformers", "microsoft", "here")


def places(version):
    """Return the parts of a model; version: transformers' prefix.

    A stage begins with its downsampling in timm and here. Elsewhere it ends the stage before.
    """
    blocks = "layers.{i}.blocks.{j}."
    root = Place(FORMATS, "", transformers=f"{version}.")
    downsample = Place(
        FORMATS,
        "layers.{i}.downsample.",
        torchvision="features.{2i}.",
        transformers=version + ".encoder.layers.{i-1}.downsample.",
        microsoft="layers.{i-1}.downsample.",
    )
    block = Place(
        FORMATS, blocks, torchvision="features.{2i+1}.{j}.", transformers=f"{version}.encoder.{blocks}"
    )
    return root, downsample, block


def attention(name):
    """Return transformers' names of the separate queries, keys and values."""
    return tuple(f"attention.self.{part}.{name}" for part in ("query", "key", "value"))


def everywhere(but_here, transformers, **others):
    """Return the names of all formats but this project's."""
    return (
        dict.fromkeys(("timm", "torchvision", "microsoft"), but_here)
        | {"transformers": transformers}
        | others
    )


def common(version, merged):
    """Return the rules of both versions; merged: the size of the norm of a downsampling."""
    root, downsample, block = places(version)
    return (
        *root.rule(
            "D C P Q",
            "patch_embed.proj.*",
            torchvision="features.0.0.*",
            transformers="embeddings.patch_embeddings.projection.*",
        ),
        *root.rule(
            "D", "patch_embed.norm.*", torchvision="features.0.2.*", transformers="embeddings.norm.*"
        ),
        *downsample.rule(merged, "norm.*", first=1),
        *downsample.rule("d 2d", "reduction.weight", first=1),
        *block.rule("d", "norm1.*", transformers="layernorm_before.*"),
        *block.rule("3d d", "attn.qkv.weight", transformers=attention("weight")),
        *block.rule("d d", "attn.proj.*", transformers="attention.output.dense.*"),
        *block.rule("d", "norm2.*", transformers="layernorm_after.*"),
        *block.rule("m d", "mlp.fc1.*", torchvision="mlp.0.*", transformers="intermediate.dense.*"),
        *block.rule("d m", "mlp.fc2.*", torchvision="mlp.3.*", transformers="output.dense.*"),
        *root.rule("F", "norm.*", transformers="layernorm.*"),
        *Place(FORMATS, "").rule(
            "N F",
            "head.fc.*",
            torchvision="head.*",
            microsoft="head.*",
            transformers="classifier.*",
            optional=True,
        ),
    )


def version_1():
    block = places("swin")[2]
    table = "relative_position_bias_table"
    return (
        *common("swin", merged="2d"),
        *block.rule("3d", "attn.qkv.bias", transformers=attention("bias"), optional=True),
        *block.rule(
            "r h",
            f"attn.rel_pos.{table}",
            **everywhere(f"attn.{table}", f"attention.self.{table}"),
            tells=True,
        ),
    )


def version_2():
    block = places("swinv2")[2]
    query, _, value = attention("bias")
    mlp = "continuous_position_bias_mlp"
    return (
        *common("swinv2", merged="d"),
        *block.rule(
            "3d",
            ("attn.q_bias", None, "attn.v_bias"),
            torchvision="attn.qkv.bias",
            transformers=(query, None, value),
            optional=True,
        ),
        *block.rule("h 1 1", "attn.logit_scale", transformers="attention.self.logit_scale"),
        *(
            rule
            for shape, name in (("k 2", "0.weight"), ("k", "0.bias"), ("h k", "2.weight"))
            for rule in block.rule(
                shape,
                f"attn.rel_pos.cpb_mlp.{name}",
                **everywhere(f"attn.cpb_mlp.{name}", f"attention.self.{mlp}.{name}"),
                tells=True,
            )
        ),
    )


def without_head(version):
    """Return transformers' alias of a SwinModel's names, which lack the prefix of the whole."""
    return (r"^(?=embeddings\.|encoder\.|layernorm\.)", f"{version}.")


# transformers 5 renames version 1 in memory; its files keep the names of transformers 4.
IN_MEMORY = (
    (r"attention\.q_proj", "attention.self.query"),
    (r"attention\.k_proj", "attention.self.key"),
    (r"attention\.v_proj", "attention.self.value"),
    (r"attention\.relative_position_bias\.relative", "attention.self.relative"),
    (r"attention\.o_proj", "attention.output.dense"),
    (r"mlp\.fc1", "intermediate.dense"),
    (r"mlp\.fc2", "output.dense"),
)

FAMILIES = tuple(
    Family(
        name,
        FORMATS,
        rules(),
        buffers=buffers(places(name)[2], version),
        arguments=arguments(version),
        aliases={"transformers": (without_head(name), *renamed)},
        models=MODELS,
    )
    for name, version, rules, renamed in (
        ("swin", 1, version_1, IN_MEMORY),
        ("swinv2", 2, version_2, ()),
    )
)
