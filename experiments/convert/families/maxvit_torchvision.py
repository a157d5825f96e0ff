"""The tables of torchvision's MaxViT; the rest is carried.

timm's are others: torchvision divides the scores by the root of the width of all heads, and has a flat
table of query − key. So its weights do not fit timm's model, nor timm's its.

Sizes: of a stage, h heads, r rows of the window's table, g of the grid's, n, k tokens of them.
"""

from functools import partial
from math import isqrt

from .. import windows
from ..rules import Arguments, Family, Place

FORMATS = ("torchvision", "here")
TABLE, INDEX = "relative_position_bias_table", "relative_position_index"
LAYER = "blocks.{{i}}.layers.{{j}}.layers.{}_attention.attn_layer.1."
KINDS = (("window", "r", "n"), ("grid", "g", "k"))


def arguments(model, options):
    """Return the side of each stage's window and grid, which are squares."""
    sides = {kind: [_side(rows) for rows in model.sizes[letter]] for kind, letter, _ in KINDS}
    return Arguments(None, sides)


def _side(rows):
    side = (isqrt(rows) + 1) // 2
    if rows != windows.rows((side, side)):
        raise ValueError(f"a table has {rows} rows, expected (2w - 1)² of a square window")
    return side


def index(kind, arguments, at):
    side = arguments.values[kind][at[0]]
    return windows.index((side, side))


def places():
    return [(Place(FORMATS, LAYER.format(kind)), kind, rows, n) for kind, rows, n in KINDS]


FAMILIES = (
    Family(
        "maxvit_torchvision",
        FORMATS,
        tuple(
            rule
            for place, _, rows, _ in places()
            for rule in place.rule(f"{rows} h", f"rel_pos.{TABLE}", torchvision=TABLE, tells=True)
        ),
        buffers=tuple(
            place.buffer(f"{n} {n}", partial(index, kind), ("torchvision",), torchvision=INDEX)
            for place, kind, _, n in places()
        ),
        arguments=arguments,
        carries=True,
    ),
)
