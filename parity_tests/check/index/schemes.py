"""The schemes whose index is checked: the definition and the axes of each.

"custom" has no index of its own, "sum" has those of its parts, and "fire" has a row for each pair.
"""

from .reference import IRPE, T5, Axes, Causal, Halo, LeViT, MaxViT, Offsets, Shaw, Window

SCHEMES = {
    **dict.fromkeys(("1d", "2d", "3d"), Window),
    "maxvit": MaxViT,
    "levit": LeViT,
    **dict.fromkeys(("t5", "gated_t5"), T5),
    "shaw": Shaw,
    **dict.fromkeys(("irpe", "irpe_bias"), IRPE),
    "decomposed": Axes,
    "halo": Halo,
    **dict.fromkeys(("log_cpb", "rel_pos_mlp", "dynamic", "alibi2d"), Offsets),
    **dict.fromkeys(("dynamic_1d", "transformer_xl"), Offsets),
    **dict.fromkeys(("alibi", "kerple", "sandwich"), Causal),
}
