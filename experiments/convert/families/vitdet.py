"""The backbone of ViTDet (arXiv 2203.16527), of transformers and detectron2; here: the tables only.

Sizes: D channels, C channels of an image, P × Q a patch, L rows of the absolute embedding, K channels of
a head, M hidden features of the MLP, R channels inside the convolutions. Of a layer: a, b rows of its
tables.
"""

from ..rules import Family, Place

FORMATS = ("transformers", "facebook", "here")


def rules():
    root = Place(FORMATS, "", transformers="embeddings.", facebook="backbone.net.")
    block = Place(
        FORMATS,
        "blocks.{i}.",
        transformers="encoder.layer.{i}.",
        facebook="backbone.net.blocks.{i}.",
    )
    return (
        *root.rule("1 L D", "pos_embed", transformers="position_embeddings", optional=True),
        *root.rule("D C P Q", "patch_embed.proj.*", transformers="projection.*"),
        *block.rule("D", "norm1.*"),
        *table(block, "a K", "rel_pos_h"),
        *table(block, "b K", "rel_pos_w"),
        *block.rule("3D D", "attn.qkv.weight", transformers="attention.qkv.weight"),
        *block.rule("3D", "attn.qkv.bias", transformers="attention.qkv.bias", optional=True),
        *block.rule("D D", "attn.proj.*", transformers="attention.proj.*"),
        *block.rule("D", "norm2.*"),
        *block.rule("M D", "mlp.fc1.*"),
        *block.rule("D M", "mlp.fc2.*"),
        *convolutions(block),
    )


def table(block, shape, name):
    own = {"transformers": f"attention.{name}", "facebook": f"attn.{name}"}
    return block.rule(shape, f"attn.rel_pos.{name}", tells=True, **own)


def convolutions(block):
    """Return the rules of the residual convolutions, which some of the layers have."""
    return (
        *block.rule("R D 1 1", "residual.conv1.weight", some=True),
        *block.rule("R", "residual.norm1.*", some=True),
        *block.rule("R R 3 3", "residual.conv2.weight", some=True),
        *block.rule("R", "residual.norm2.*", some=True),
        *block.rule("D R 1 1", "residual.conv3.weight", some=True),
        *block.rule("D", "residual.norm3.*", some=True),
    )


FAMILIES = (Family("vitdet", FORMATS, rules()),)
