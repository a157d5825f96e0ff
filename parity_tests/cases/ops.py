"""The cases of single ops."""

import numpy as np

from ._case import Dropout, Fixed, Integers, Normal, op
from .attention_op import ATTENTION, EDGES, true_lookup

CLAMPED = Normal((2, 1, 1), mean=6.0)  # logit scales above the clamp at ln 100 = 4.6: no gradient
PAIRS, MANY = {"index": Integers((5, 9), 7)}, {"index": Integers((200, 200), 31)}
LINEAR = {"weight": Normal((4, 6)), "bias": Normal((4,))}
MLP = {
    "weight1": Normal((9, 6)),
    "bias1": Normal((9,)),
    "weight2": Normal((4, 9)),
    "bias2": Normal((4,)),
}

# What mixup makes of six labels: each row is 0.7 of one class and 0.3 of another.
SHARES = Fixed(0.7 * np.eye(5)[[0, 1, 4, 4, 2, 3]] + 0.3 * np.eye(5)[[3, 0, 1, 4, 4, 2]])

SHIFT = {"window_size": 4, "shift_size": (2, 1)}
OBLONG = {"window_size": (2, 3), "shift_size": (1, 2)}
ONE_AXIS = {"window_size": (3, 4), "shift_size": (0, 2)}
FAR_PADDING = {"window_size": (4, 5), "shift_size": (3, 1)}

OPS = [
    op("linear", "bias", x=Normal((2, 5, 6)), **LINEAR),
    op("linear", "no_bias", x=Normal((7, 3)), weight=Normal((1, 3))),
    op("linear", "large", x=Normal((3, 200, 256)), weight=Normal((512, 256)), bias=Normal((512,))),
    op("linear", "residual", x=Normal((2, 5, 6)), **LINEAR, residual=Normal((2, 5, 4))),
    op("linear", "residual_alone", x=Normal((90, 3)), weight=Normal((9, 3)), residual=Normal((90, 9))),
    op("linear", "deep", x=Normal((9, 1300)), weight=Normal((5, 1300)), bias=Normal((5,))),
    op("layer_norm", "tokens", x=Normal((2, 5, 12)), weight=Normal((12,)), bias=Normal((12,))),
    op("layer_norm", "large", x=Normal((900, 24)), weight=Normal((24,)), bias=Normal((24,))),
    op("layer_scale", "tokens", x=Normal((2, 5, 12)), gamma=Normal((12,))),
    op("layer_scale", "residual", x=Normal((900, 5)), gamma=Normal((5,)), residual=Normal((900, 5))),
    op("layer_norm", "one_token", x=Normal((1, 1, 8)), weight=Normal((8,)), bias=Normal((8,))),
    op("gelu", "tokens", x=Normal((3, 5, 7))),
    op("mlp", "tokens", x=Normal((2, 5, 6)), **MLP),
    op("mlp", "one_token", x=Normal((1, 1, 6)), **MLP),
    op("mlp", "residual", x=Normal((2, 50, 6)), **MLP, residual=Normal((2, 50, 4))),
    op("mlp", "large", x=Normal((5, 300, 6)), **MLP),
    op("residual", "plain", x=Normal((3, 5, 7)), branch=Normal((3, 5, 7))),
    op(
        "residual",
        "dropout",
        x=Normal((3, 5, 7)),
        branch=Normal((3, 5, 7)),
        multiplier=Dropout((3, 5, 7)),
    ),
    op("residual", "path", x=Normal((9, 5, 7)), branch=Normal((9, 5, 7)), multiplier=Dropout((9, 1, 1))),
    op("residual", "large", x=Normal((2, 9000)), branch=Normal((2, 9000)), multiplier=Dropout((2, 1))),
    op("dropout", "tokens", x=Normal((3, 5, 7)), multiplier=Dropout((3, 5, 7))),
    op("dropout", "path", x=Normal((9, 5, 7)), multiplier=Dropout((9, 1, 1))),
    op("gelu", "large", x=Normal((80, 1000))),
    op("relu", "tokens", x=Normal((3, 5, 7))),
    op("sigmoid", "tokens", x=Normal((3, 5, 7))),
    op("silu", "tokens", x=Normal((3, 5, 7))),
    op("softmax", "rows", x=Normal((2, 3, 4, 9))),
    op("softmax", "one", x=Normal((2, 1))),
    op("cross_entropy", "plain", logits=Normal((6, 5)), labels=Integers((6,), 5)),
    op(
        "cross_entropy",
        "smoothed",
        {"label_smoothing": 0.1},
        logits=Normal((6, 5)),
        labels=Integers((6,), 5),
    ),
    op("soft_cross_entropy", "mixed", logits=Normal((6, 5)), targets=SHARES),
    op(
        "soft_cross_entropy",
        "smoothed",
        {"label_smoothing": 0.1},
        logits=Normal((6, 5)),
        targets=SHARES,
    ),
    op("patches", "square", {"patch_size": (4, 4)}, images=Normal((2, 3, 8, 8))),
    op("patches", "oblong", {"patch_size": (2, 3)}, images=Normal((2, 2, 4, 9))),
    op("window_partition", "plain", {"window_size": (2, 3)}, x=Normal((2, 4, 9, 5))),
    op("window_partition", "shifted", {"window_size": 4, "shift_size": 2}, x=Normal((2, 8, 12, 6))),
    op("window_partition", "padded", {"window_size": 3, "shift_size": (1, 2)}, x=Normal((2, 5, 7, 6))),
    op("window_partition", "one_window", {"window_size": 7, "shift_size": 3}, x=Normal((3, 5, 4, 6))),
    op("window_partition", "swin_14", {"window_size": 7, "shift_size": 3}, x=Normal((9, 14, 14, 96))),
    op("window_partition", "oblong", OBLONG, x=Normal((2, 6, 12, 3))),
    op("window_partition", "one_axis", ONE_AXIS, x=Normal((2, 7, 9, 4))),
    op("window_partition", "far_padding", FAR_PADDING, x=Normal((2, 5, 11, 3))),
    op("window_partition", "one_row", SHIFT, x=Normal((3, 4, 9, 2))),
    op("window_partition", "one_token", {"window_size": 1}, x=Normal((2, 1, 1, 3))),
    op("window_reverse", "plain", {"size": (4, 9), "window_size": (2, 3)}, windows=Normal((12, 6, 5))),
    op("window_reverse", "shifted", {"size": (8, 12)} | SHIFT, windows=Normal((12, 16, 6))),
    op(
        "window_reverse",
        "padded_residual",
        {"size": (5, 7), "window_size": 3, "shift_size": (1, 2)},
        windows=Normal((12, 9, 6)),
        residual=Normal((2, 5, 7, 6)),
    ),
    op(
        "window_reverse",
        "swin_14_residual",
        {"size": (14, 14), "window_size": 7, "shift_size": 3},
        windows=Normal((36, 49, 96)),
        residual=Normal((9, 14, 14, 96)),
    ),
    op("window_reverse", "oblong", {"size": (6, 12)} | OBLONG, windows=Normal((24, 6, 3))),
    op(
        "window_reverse",
        "one_axis_residual",
        {"size": (7, 9)} | ONE_AXIS,
        windows=Normal((18, 12, 4)),
        residual=Normal((2, 7, 9, 4)),
    ),
    op("window_reverse", "far_padding", {"size": (5, 11)} | FAR_PADDING, windows=Normal((12, 20, 3))),
    op("window_reverse", "one_row", {"size": (4, 9)} | SHIFT, windows=Normal((9, 16, 2))),
    op(
        "window_reverse",
        "one_window_residual",
        {"size": (5, 4), "window_size": 7, "shift_size": 3},
        windows=Normal((3, 49, 6)),
        residual=Normal((3, 5, 4, 6)),
    ),
    op("patch_merging", "even", x=Normal((2, 4, 6, 5))),
    op("patch_merging", "odd", x=Normal((3, 5, 7, 6))),
    op("patch_merging", "one_token", x=Normal((2, 1, 1, 3))),
    op("bias", "square", table=Normal((25, 4)), index=Integers((9, 9), 25)),
    op("bias", "oblong", table=Normal((7, 6)), index=Integers((5, 11), 7)),
    op("bias", "one_token", table=Normal((1, 2)), index=Integers((1, 1), 1)),
    op("bias", "one_head", table=Normal((9, 1)), index=Integers((4, 7), 9)),
    op("bias", "rows_never_read", table=Normal((23, 5)), index=Integers((6, 9), 11)),
    op("bias", "swin_7x7", **true_lookup(3, (7, 7))),
    op("bias", "beit_3x5", **true_lookup(6, (3, 5), prefix=1)),
    op("bias", "registers_3x5", **true_lookup(5, (3, 5), prefix=4)),
    op("bias", "pooled_keys", **true_lookup(4, (6, 8), (3, 4))),
    op("bias", "pooled_queries_prefix", **true_lookup(3, (2, 3), (4, 6), prefix=1)),
    # the rest of 383 and of 381 is another one for tiles of 4, 8, 16, 24, 32, 48, 64, 96 and 128
    op("bias", "past_tiles", table=Normal((31, 1)), index=Integers((383, 381), 31)),
    op("bias", "large", table=Normal((169, 8)), index=Integers((128, 128), 169)),
    op(
        "cosine",
        "six_heads",
        q=Normal((2, 6, 5, 4)),
        k=Normal((2, 6, 7, 4)),
        logit_scale=Normal((6, 1, 1)),
    ),
    op("cosine", "beyond_clamp", q=Normal((1, 2, 3, 4)), k=Normal((1, 2, 3, 4)), logit_scale=CLAMPED),
    op(
        "cosine",
        "uneven",  # a row is no multiple of a vector, and the rows are no multiple of a piece
        q=Normal((2, 3, 50, 20)),
        k=Normal((2, 3, 40, 20)),
        logit_scale=Normal((3, 1, 1)),
    ),
    op("score_lookup", "heads", q=Normal((2, 3, 5, 4)), embedding=Normal((3, 7, 4)), **PAIRS),
    op("score_lookup", "shared", q=Normal((2, 6, 5, 4)), embedding=Normal((1, 7, 4)), **PAIRS),
    op("score_lookup", "large", q=Normal((2, 2, 200, 8)), embedding=Normal((1, 31, 8)), **MANY),
    op("value_lookup", "heads", p=Normal((2, 3, 5, 9)), embedding=Normal((3, 7, 4)), **PAIRS),
    op("value_lookup", "shared", p=Normal((2, 6, 5, 9)), embedding=Normal((1, 7, 4)), **PAIRS),
    *ATTENTION,
    *EDGES,
]
