"""MViT V2 for images (arXiv 2112.01526), with channels growing in the attention; here: tables only.

Sizes: C channels of an image, D and F of the first and the last stage, P × Q a patch, S the side of the
kernels of pooling, N classes. Of a stage: d channels, k of a head, m hidden features of the MLP. Of a
block: x channels of its input, y, z rows of its tables.
"""

from ..names import Pattern
from ..numbering import Numbering
from ..rules import Family, Place

FORMATS = ("timm", "facebook", "here")
BLOCK = "stages.{i}.blocks.{j}."


def rules():
    root, block = Place(FORMATS, ""), Place(FORMATS, BLOCK)
    return (
        *root.rule("1 1 D", "cls_token", optional=True),
        *root.rule("D C P Q", "patch_embed.proj.*"),
        *block.rule("x", "norm1.*"),
        *table(block, "y k", "rel_pos_h"),
        *table(block, "z k", "rel_pos_w"),
        *block.rule("3d x", "attn.qkv.*"),
        *block.rule("d d", "attn.proj.*"),
        *(rule for part in "qkv" for rule in pooling(block, part)),
        *block.rule("d x", "shortcut_proj_attn.*", facebook="proj.*", some=True),
        *block.rule("d", "norm2.*"),
        *block.rule("m d", "mlp.fc1.*"),
        *block.rule("d m", "mlp.fc2.*"),
        *root.rule("F", "norm.*"),
        *root.rule("N F", "head.fc.*", facebook="head.projection.*", optional=True),
    )


def table(block, shape, name):
    theirs = dict.fromkeys(("timm", "facebook"), f"attn.{name}")
    return block.rule(shape, f"attn.rel_pos.{name}", tells=True, **theirs)


def pooling(block, part):
    """Return the rules of the convolution that pools queries, keys or values, and of its norm."""
    return (
        *block.rule("k 1 S S", f"attn.pool_{part}.weight"),
        *block.rule("k", f"attn.norm_{part}.*"),
    )


def depths(names):
    """Return the number of blocks in each stage; the first one projects to more channels."""
    blocks, projections = (
        {at for name in names if (at := Pattern(pattern).match(name))}
        for pattern in ("blocks.{i}.norm1.weight", "blocks.{i}.proj.weight")
    )
    found = [0]
    for at in sorted(blocks):
        if at in projections:
            found.append(0)
        found[-1] += 1
    return found


def prefixes(depths):
    places = [(i, j) for i, depth in enumerate(depths) for j in range(depth)]
    return {BLOCK.format(i=i, j=j): f"blocks.{n}." for n, (i, j) in enumerate(places)}


FAMILIES = (Family("mvitv2", FORMATS, rules(), numbering={"facebook": Numbering(depths, prefixes)}),)
