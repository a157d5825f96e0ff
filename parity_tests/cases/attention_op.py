"""The cases of the op attention, and small ones at an edge, of the lookup too."""

from dataclasses import replace

import numpy as np

from ._case import Denormal, Dropout, Fixed, Integers, Mask, Normal, op
from .geometry import (
    bucket_index,
    sequence_index,
    shift_mask,
    strided_index,
    table_rows,
    video_index,
    window_index,
)

QKV = {"q": Normal((2, 3, 6, 8)), "k": Normal((2, 3, 6, 8)), "v": Normal((2, 3, 6, 8))}
CROSS = {"q": Normal((2, 6, 5, 4)), "k": Normal((2, 6, 7, 4)), "v": Normal((2, 6, 7, 3))}
TABLE = {"table": Normal((11, 3)), "index": Integers((6, 6), 11)}
VALUES = {"value_embedding": Normal((1, 5, 8)), "value_index": Integers((6, 6), 5)}

LONG = {"q": Normal((2, 2, 300, 8)), "k": Normal((2, 2, 290, 8)), "v": Normal((2, 2, 290, 5))}
FAR, LONG_DROP = (
    {"table": Normal((599, 2)), "index": Integers((300, 290), 599)},
    Dropout((2, 2, 300, 290)),
)
MANY_KEYS = {name: Normal((1, 2, 7 if name == "q" else 1300, 8)) for name in "qkv"}
# the rest of 255 and of 251 tokens is another one for each power of two that a tile may have
PAST_TILES = {"q": Normal((1, 3, 255, 10)), "k": Normal((1, 3, 251, 10)), "v": Normal((1, 3, 251, 10))}
WHOLE_TILES = {name: Normal((1, 2, 64 if name == "q" else 256, 16)) for name in "qkv"}
MANY_WINDOWS = {name: Normal((42, 3, 6, 8)) for name in "qkv"}
WIDE = {name: Normal((8, 3, 49, 32)) for name in "qkv"}


def opposite_samples(pairs, heads, dim, grid):
    """Return the inputs of attention in which all samples are one, and its output gradients ±one.

    There is one more + than there are −, in a random order. So dtable is one sample's, but the sums on
    the way to it are much larger, and a sum in low precision shows: what rounding costs before the sum
    cancels.
    """
    signs = np.random.default_rng(0).permutation(np.repeat((1.0, -1.0), (pairs + 1, pairs)))
    inputs = true_window(2 * pairs + 1, heads, dim, grid)
    ones = (1.0,) * len(signs)
    same = {name: replace(inputs[name], signs=ones) for name in "qkv"}
    return inputs | same, replace(inputs["q"], signs=tuple(signs))


def true_window(batch, heads, dim, q_grid, k_grid=None, prefix=0):
    """Return the inputs of attention within windows: q, k, v, table and a real index."""
    lookup = true_lookup(heads, q_grid, k_grid, prefix)
    return with_index(batch, heads, dim, lookup["index"], lookup["table"].shape[0])


def true_lookup(heads, q_grid, k_grid=None, prefix=0):
    """Return a table and a real index."""
    scheme = None if k_grid else "2d"  # that has the window's rows for other grids too
    index = Fixed(window_index(q_grid, k_grid, prefix), (q_grid, k_grid or q_grid, prefix), scheme)
    return {"table": Normal((table_rows(q_grid, k_grid, prefix), heads)), "index": index}


def with_index(batch, heads, dim, index, rows):
    """Return q, k, v, a table of so many rows, and the index."""
    q_len, k_len = index.shape
    shapes = {"q": (batch, heads, q_len, dim), "k": (batch, heads, k_len, dim)}
    shapes |= {"v": shapes["k"], "table": (rows, heads)}
    return {name: Normal(shape) for name, shape in shapes.items()} | {"index": index}


# An index of other schemes than windows, and the rows of their tables.
CACHED = Fixed(sequence_index(3, 11, 8, 11), scheme="1d"), 21
BUCKETS = Fixed(bucket_index(24, 12, 24, True), scheme="t5"), 12
BUCKETS_CAUSAL = Fixed(bucket_index(20, 6, 24, False), scheme="t5"), 6
VIDEO = Fixed(video_index((2, 3, 4)), scheme="3d"), 105
STRIDED = Fixed(strided_index((5, 4), 2), scheme="levit"), 20

SHIFTED = Fixed(shift_mask((14, 14), (7, 7), (3, 3)))
SHIFTED_OBLONG = Fixed(shift_mask((6, 15), (3, 5), (1, 2)))


def late_keys(first, k_len):
    """Return the inputs of attention in which query i sees no key before first[i]: −∞ masks them.

    k_len: so large that each query sees a key of a whole tile, or what it gets without the last tile is
        undefined.
    """
    q_len = len(first)
    mask = np.where(np.arange(k_len) < np.array(first)[:, None], -np.inf, 0.0)
    lengths = {"q": q_len, "k": k_len, "v": k_len}
    inputs = {name: Normal((1, 2, length, 4)) for name, length in lengths.items()}
    return inputs | {
        "table": Normal((9, 2)),
        "index": Integers((q_len, k_len), 9),
        "mask": Fixed(mask),
    }


CAUSAL = Fixed(np.triu(np.full((6, 6), -np.inf), 1))
# Two sequences of 4 and 2 tokens, padded to 6 keys: (B, 1, 1, Lk).
PADDED = Fixed(np.where(np.arange(6) < np.array([4, 2])[:, None, None, None], 0, -np.inf))
MASKED_ROW = Fixed(np.where(np.arange(6)[:, None] == 2, -100.0, 0.0) + np.zeros((6, 6)))

# With one key dS = dP − dout · out = 0 is the difference of two equal sums. Whole numbers make both
# exact, or a right kernel that adds them up in two orders would be one rounding error of dP away from 0.
WHOLE = Normal((2, 1, 1, 4), std=2.0, whole=True)
ONE_PAIR = {"table": Normal((1, 1)), "index": Integers((1, 1), 1)}
ONE_TOKEN = op(
    "attention", "one_token", q=Normal((2, 1, 1, 4)), k=Normal((2, 1, 1, 4)), v=WHOLE, **ONE_PAIR
)
ONE_TOKEN = replace(ONE_TOKEN, dout=WHOLE)

# Of the golden vectors (vectors/cases.py): small cases, each at an edge.
# Each pair of a query reads a row of its own, so P is 0 or 1: no score of 10⁴ is near another one.
SEQUENCE = Fixed(sequence_index(6, 6, 0, 6))
ONE_ROW = {"table": Normal((3, 3)), "index": Fixed(np.full((6, 6), 2))}
ODD = {"q": Normal((1, 5, 7, 11)), "k": Normal((1, 5, 9, 11)), "v": Normal((1, 5, 9, 13))}
EDGES = [
    op("bias", "one_row", table=Normal((3, 4)), index=Fixed(np.full((5, 7), 2))),
    op("bias", "denormal", table=Denormal((9, 3)), index=Fixed(window_index((2, 2)))),
    op("attention", "one_row", **QKV, **ONE_ROW),
    op(
        "attention", "logits_of_1e4", **QKV, table=Normal((11, 3), std=12e3, spaced=True), index=SEQUENCE
    ),
    op("attention", "denormal", q=QKV["q"], k=Denormal((2, 3, 6, 8)), v=Denormal((2, 3, 6, 8)), **TABLE),
    op("attention", "late_keys", **late_keys((0, 16, 33), 70)),
    op("attention", "odd_heads", **ODD, table=Normal((23, 5)), index=Integers((7, 9), 23)),
    op(
        "attention",
        "shifted_2x3",
        **true_window(8, 2, 6, (2, 3)),
        mask=Fixed(shift_mask((4, 6), (2, 3), (1, 1))),
    ),
    op("attention", "registers_2x3", **true_window(1, 2, 12, (2, 3), prefix=4)),
    op("attention", "more_keys_prefix", **true_window(2, 3, 6, (1, 2), (2, 4), prefix=1)),
]
OPPOSITE, OPPOSITE_DOUT = opposite_samples(1000, 1, 4, (3, 3))

ATTENTION = [
    op("attention", "plain", **QKV),
    op("attention", "table", **QKV, **TABLE),
    op("attention", "bias", **QKV, bias=Normal((3, 6, 6))),
    op("attention", "bias_per_key", **QKV, bias=Normal((2, 1, 1, 6))),
    op("attention", "table_bias_mask", **QKV, **TABLE, bias=Normal((3, 6, 6)), mask=Mask((6, 6))),
    op("attention", "scale", {"scale": 1.0}, **QKV, **TABLE),
    op("attention", "dropout", **QKV, **TABLE, dropout=Dropout((2, 3, 6, 6))),
    op("attention", "cross", **CROSS, table=Normal((4, 6)), index=Integers((5, 7), 4)),
    op("attention", "value_embedding", **QKV, **VALUES),
    op("attention", "all", **QKV, **TABLE, bias=Normal((2, 3, 6, 6)), **VALUES, mask=Mask((6, 6))),
    op("attention", "value_dropout", **QKV, **VALUES, dropout=Dropout((2, 3, 6, 6))),
    op(
        "attention",
        "shifted_windows",
        q=Normal((8, 3, 6, 8)),
        k=Normal((8, 3, 6, 8)),
        v=Normal((8, 3, 6, 8)),
        **TABLE,
        mask=Mask((4, 1, 6, 6)),
    ),
    op("attention", "mask_per_head", **QKV, **TABLE, mask=Mask((3, 6, 6))),
    op("attention", "padded_keys", **QKV, **TABLE, mask=PADDED),
    op("attention", "strips", **LONG, **FAR),
    op("attention", "many_keys", **MANY_KEYS),
    op("attention", "past_tiles", **PAST_TILES, table=Normal((31, 3)), index=Integers((255, 251), 31)),
    # whole tiles: a kernel may have a branch for them
    op("attention", "whole_tiles", **WHOLE_TILES, table=Normal((31, 2)), index=Integers((64, 256), 31)),
    op("attention", "strips_all", **LONG, **FAR, bias=Normal((2, 300, 290)), mask=Mask((290,))),
    op("attention", "strips_per_window", **LONG, bias=Normal((2, 2, 300, 290)), dropout=LONG_DROP),
    op("attention", "chunks", **MANY_WINDOWS, **TABLE, bias=Normal((3, 6, 6)), mask=Mask((14, 1, 6, 6))),
    op("attention", "whole_vectors", **WIDE, table=Normal((25, 3)), index=Integers((49, 49), 25)),
    op("attention", "swin_7x7", **true_window(4, 3, 32, (7, 7)), mask=SHIFTED),
    op("attention", "swin_3x5", **true_window(12, 6, 20, (3, 5)), mask=SHIFTED_OBLONG),
    op("attention", "swin_256_windows", **true_window(256, 1, 8, (7, 7))),
    replace(op("attention", "opposite_samples", **OPPOSITE), dout=OPPOSITE_DOUT),
    op("attention", "beit_7x7", **true_window(2, 3, 16, (7, 7), prefix=1)),
    op("attention", "registers_3x5", **true_window(3, 2, 12, (3, 5), prefix=4)),
    op("attention", "pooled_keys", **true_window(2, 4, 24, (6, 8), (3, 4))),
    op("attention", "pooled_queries_prefix", **true_window(2, 3, 8, (2, 3), (4, 6), prefix=1)),
    op("attention", "1d_cache", **with_index(2, 3, 8, *CACHED)),
    op("attention", "t5_buckets", **with_index(2, 3, 6, *BUCKETS)),
    op("attention", "t5_causal", **with_index(1, 4, 5, *BUCKETS_CAUSAL)),
    op("attention", "3d_2x3x4", **with_index(2, 2, 8, *VIDEO)),
    op("attention", "levit_stride_2", **with_index(2, 3, 8, *STRIDED)),
    op("attention", "equal_logits", {"scale": 0.0}, **QKV),
    op("attention", "masked_row", **QKV, **TABLE, mask=MASKED_ROW),
    op("attention", "causal", **QKV, **TABLE, mask=CAUSAL),
    # whole tiles of each of these sizes are masked
    op("attention", "masked_tiles", **late_keys((0, 4, 8, 16, 24, 32, 48, 64, 96, 128), 261)),
    op("attention", "large_logits", {"scale": 12.0}, **QKV, **TABLE),
    ONE_TOKEN,
]
