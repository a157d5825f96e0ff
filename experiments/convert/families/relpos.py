"""timm's ViTs with a relative position bias, `vit_relpos_*`; the names here are timm's.

Sizes: D channels, C channels of an image, P × Q a patch, N classes, M hidden features of the MLP,
H heads, R rows of a table, K hidden features of the MLP that makes one.
"""

from ..rules import Family, Place
from ._vit_arguments import relpos
from ._vit_models import RELPOS

FORMATS = ("timm", "here")
ROOT, BLOCK = Place(FORMATS, ""), Place(FORMATS, "blocks.{i}.")


def position(place, name):
    """Return the rules of a bias: a table, or an MLP over offsets, whose last bias mode "swin" lacks."""
    return (
        *place.rule("R H", f"{name}.relative_position_bias_table", optional=True, tells=True),
        *place.rule("K 2", f"{name}.mlp.fc1.*", optional=True, tells=True, group="mlp"),
        *place.rule("H K", f"{name}.mlp.fc2.weight", optional=True, tells=True, group="mlp"),
        *place.rule("H", f"{name}.mlp.fc2.bias", optional=True),
    )


RULES = (
    *ROOT.rule("1 1 D", "cls_token", optional=True),
    *ROOT.rule("D C P Q", "patch_embed.proj.*"),
    *position(ROOT, "shared_rel_pos"),
    *BLOCK.rule("D", "norm1.*"),
    *BLOCK.rule("3D D", "attn.qkv.weight"),
    *BLOCK.rule("3D", "attn.qkv.bias", optional=True),
    *position(BLOCK, "attn.rel_pos"),
    *BLOCK.rule("D D", "attn.proj.*"),
    *BLOCK.rule("D", "ls1.gamma", optional=True, group="layer scale"),
    *BLOCK.rule("D", "norm2.*"),
    *BLOCK.rule("M D", "mlp.fc1.*"),
    *BLOCK.rule("D M", "mlp.fc2.*"),
    *BLOCK.rule("D", "ls2.gamma", optional=True, group="layer scale"),
    *ROOT.rule("D", "norm.*", optional=True),
    *ROOT.rule("D", "fc_norm.*", optional=True),
    *ROOT.rule("N D", "head.*", optional=True),
)

FAMILIES = (Family("relpos", FORMATS, RULES, arguments=relpos, models=RELPOS),)
