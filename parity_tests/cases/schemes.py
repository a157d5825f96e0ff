"""The cases of schemes: at least one for each bias_type."""

import math

from ._case import query_scheme, scheme

SAMPLES = (((0, 5, -1), (2, 2, 1)), ((3, 4, 0), (-1, 0, 1)))  # one index per sample, for two samples
XY = (  # LayoutLMv3: buckets of the boxes' left and upper edges
    {"bias_type": "custom", "index": tuple(tuple(abs(i - j) % 4 for j in range(6)) for i in range(6))},
    {"bias_type": "custom", "index": tuple(tuple((i + 2 * j) % 5 for j in range(6)) for i in range(6))},
)
OFFSETS = ({"bias_type": "alibi2d"}, {"bias_type": "log_cpb", "hidden_features": 4})
IRPE_GRIDS = {"q_size": (2, 2), "k_size": (5, 2)}

# For prefix tokens with fewer queries than keys, and with more. Their rows are the last of the table.
SEQUENCES = {
    "fewer_queries": {"q_size": 3, "k_size": 7},
    "more_queries": {"q_size": 7, "k_size": 3},
}
GRIDS = {
    "fewer_queries": {"q_size": (2, 3), "k_size": (3, 4)},
    "more_queries": {"q_size": (3, 4), "k_size": (2, 3)},
}


def with_prefix(bias_type, variant, window_size, sizes, num_prefix_tokens=1, **options):
    """Return a case with prefix tokens for each of the sizes."""
    options |= {"num_prefix_tokens": num_prefix_tokens}
    return [
        scheme(bias_type, f"{variant}_{name}", 2, window_size, call, **options)
        for name, call in sizes.items()
    ]


def query_with_prefix(bias_type, window_size, sizes, num_prefix_tokens=1, keys=False, **options):
    """Return the same for a scheme that looks at the query; keys: whether it looks at the keys too."""
    rows = []
    for name, call in sizes.items():
        lq, lk = (num_prefix_tokens + _count(call[size]) for size in ("q_size", "k_size"))
        given = {"keys": lk if keys else None, "call": call, "num_prefix_tokens": num_prefix_tokens}
        shape = (2, lq, 4)
        rows.append(query_scheme(bias_type, f"prefix_{name}", 2, window_size, shape, **given, **options))
    return rows


def _count(size):
    return math.prod(size) if isinstance(size, tuple) else size


SCHEMES = [
    scheme("1d", "eight", 4, 8),
    scheme("1d", "grid", 2, (2, 3)),
    scheme("1d", "prefix", 6, 5, num_prefix_tokens=1),
    scheme("1d", "one_token", 1, 1),
    scheme("2d", "square", 8, (7, 7)),
    scheme("2d", "int", 3, 4),
    scheme("2d", "oblong", 6, (3, 5)),
    scheme("2d", "beit", 3, (4, 3), num_prefix_tokens=1),
    scheme("2d", "registers", 2, (2, 3), num_prefix_tokens=3),
    scheme("2d", "one_token", 2, (1, 1), num_prefix_tokens=1),
    scheme("t5", "bidirectional", 4, 40),
    scheme("t5", "causal", 6, 150, bidirectional=False),
    scheme("t5", "few_buckets", 3, 30, num_buckets=8, max_distance=20),
    scheme("t5", "prefix", 2, (4, 4), num_prefix_tokens=2),
    scheme("t5", "cross", 4, 16, call={"q_size": 5, "k_size": 23}),
    scheme("alibi", "eight_heads", 8, 16),
    scheme("alibi", "six_heads", 6, 10),
    scheme("alibi", "causal", 12, 9, causal=True),
    scheme("alibi", "prefix", 3, (3, 4), num_prefix_tokens=1),
    scheme("alibi", "causal_prefix", 4, 6, causal=True, num_prefix_tokens=2),
    scheme("alibi", "cross", 4, 8, call={"q_size": 3, "k_size": 12}),
    scheme("log_cpb", "square", 4, (4, 4), hidden_features=8),
    scheme("log_cpb", "oblong", 6, (3, 5), hidden_features=8, num_prefix_tokens=1),
    scheme("log_cpb", "pretrained", 3, 4, hidden_features=8, pretrained_window_size=(8, 6)),
    scheme("log_cpb", "one_token", 2, (1, 1), hidden_features=8),
    scheme("log_cpb", "other_grids", 2, 3, {"q_size": (2, 4), "k_size": (5, 3)}, hidden_features=8),
    scheme("1d", "cross", 4, 8, call={"q_size": 3, "k_size": 6, "q_offset": 2}),
    scheme("2d", "smaller", 3, (4, 5), call={"q_size": (2, 5), "k_size": (4, 1)}),
    scheme("3d", "oblong", 3, (2, 3, 4)),
    scheme("3d", "registers", 6, (3, 1, 2), num_prefix_tokens=2),
    scheme("3d", "one_token", 2, 1),
    scheme("levit", "square", 4, (4, 4)),
    scheme("levit", "oblong", 6, (3, 5), num_prefix_tokens=1),
    scheme("levit", "stride", 3, (5, 4), stride=2),
    scheme("levit", "stride_prefix", 2, (4, 3), stride=2, num_prefix_tokens=2),
    scheme("maxvit", "oblong", 6, (3, 5)),
    scheme("maxvit", "prefix", 3, (2, 4), num_prefix_tokens=1),
    scheme("rel_pos_mlp", "cr", 4, (4, 4), hidden_features=8),
    scheme("rel_pos_mlp", "swin", 6, (3, 5), mode="swin", hidden_features=8, num_prefix_tokens=1),
    scheme("rel_pos_mlp", "pretrained", 2, 3, mode="swin", hidden_features=8, pretrained_window_size=7),
    scheme("rel_pos_mlp", "other_grids", 2, 3, {"q_size": (1, 4), "k_size": 2}, hidden_features=8),
    scheme("dynamic", "square", 4, (4, 4), hidden_features=6),
    scheme("dynamic", "residual", 6, (3, 5), residual=True, hidden_features=6, num_prefix_tokens=1),
    scheme("dynamic", "other_grids", 2, 3, {"q_size": (1, 4), "k_size": 2}, hidden_features=6),
    scheme("dynamic_1d", "linear", 4, 9, hidden_features=6),
    scheme("dynamic_1d", "log_norm", 6, 7, hidden_features=6, depth=3, log_distance=True, norm=True),
    scheme("dynamic_1d", "cache", 2, 5, {"q_size": 2, "k_size": 9, "q_offset": 7}, num_prefix_tokens=0),
    scheme("alibi", "cache", 6, 8, {"q_size": 1, "k_size": 12, "q_offset": 11}, causal=True),
    scheme("alibi", "asymmetric", 6, 7, asymmetric=True, num_prefix_tokens=1),
    scheme("alibi", "learned", 6, 9, learned_slopes=True),
    scheme("alibi", "learned_one_sided", 4, 7, learned_slopes=True, asymmetric=True),
    scheme("alibi", "learned_causal", 3, 7, learned_slopes=True, causal=True, num_prefix_tokens=1),
    scheme("alibi2d", "oblong", 6, (3, 5), num_prefix_tokens=1),
    scheme("alibi2d", "learned", 4, 4, learned_slopes=True),
    scheme("alibi2d", "other_grids", 2, 3, {"q_size": (1, 4), "k_size": 2}, learned_slopes=True),
    scheme("kerple", "log", 6, 9),
    scheme("kerple", "power", 4, 9, kernel="power"),
    scheme("kerple", "causal", 3, 7, causal=True, num_prefix_tokens=2),
    scheme(
        "kerple", "cache", 2, 5, {"q_size": 2, "k_size": 9, "q_offset": 7}, kernel="power", causal=True
    ),
    scheme("fire", "square", 4, 9, hidden_features=6),
    scheme("fire", "beyond_threshold", 6, 12, hidden_features=6, init_length=5),
    scheme("fire", "causal", 3, 6, hidden_features=6, init_length=5, causal=True, num_prefix_tokens=1),
    scheme("fire", "cache", 2, 5, {"q_size": 3, "k_size": 9, "q_offset": 6}, init_length=4),
    scheme("sandwich", "six_heads", 6, 10),
    scheme("sandwich", "causal", 4, 7, sinusoid_dim=8, causal=True, num_prefix_tokens=1),
    scheme("sandwich", "cache", 2, 5, {"q_size": 2, "k_size": 9, "q_offset": 7}),
    scheme("custom", "graph", 6, 4, index=((0, 1, 2, -1), (1, 0, 1, 2), (2, 1, 0, 1), (-1, 2, 1, 0))),
    scheme("custom", "prefix", 2, 3, index=((0, 4, 2), (2, 0, 0)), num_rows=7, num_prefix_tokens=1),
    scheme("custom", "samples", 3, 2, {"index": SAMPLES}, index=((0, 1), (1, 0)), num_rows=6),
    scheme("sum", "layoutlm", 4, (2, 3), parts=({"bias_type": "t5", "num_buckets": 8}, *XY)),
    scheme("sum", "prefix", 6, (2, 3), parts=({"bias_type": "alibi"}, {}), num_prefix_tokens=1),
    scheme("sum", "other_grids", 2, 3, {"q_size": (1, 4), "k_size": 2}, parts=OFFSETS),
    query_scheme("shaw", "clipped", 4, 9, (2, 9, 6), max_distance=3),
    query_scheme("shaw", "prefix", 6, (2, 3), (2, 8, 4), num_prefix_tokens=2, max_distance=9),
    query_scheme("shaw", "cache", 2, 9, (3, 2, 5), call={"q_size": 2, "k_size": 8, "q_offset": 6}),
    query_scheme("transformer_xl", "tokens", 4, 7, (2, 7, 6), 7),
    query_scheme("transformer_xl", "prefix", 6, 5, (2, 6, 4), 6, num_prefix_tokens=1),
    query_scheme(
        "transformer_xl", "memory", 2, 9, (3, 2, 5), 8, {"q_size": 2, "k_size": 8, "q_offset": 6}
    ),
    query_scheme("decomposed", "oblong", 4, (3, 5), (2, 15, 6)),
    query_scheme("decomposed", "prefix", 6, (2, 3), (2, 7, 4), num_prefix_tokens=1),
    query_scheme("decomposed", "fewer_keys", 2, (4, 6), (2, 24, 4), call={"k_size": (2, 3)}),
    query_scheme("decomposed", "fewer_queries", 2, (4, 6), (2, 10, 4), call={"q_size": (2, 5)}),
    query_scheme("halo", "botnet", 4, (3, 5), (2, 15, 6)),
    query_scheme("halo", "halo", 6, (5, 6), (2, 2, 4), halo_size=2),
    query_scheme("halo", "prefix", 2, (4, 5), (2, 7, 4), halo_size=1, num_prefix_tokens=1),
    query_scheme("irpe", "product", 4, (3, 5), (2, 15, 6)),
    query_scheme("irpe", "euclidean", 6, (4, 5), (2, 21, 4), method="euclidean", num_prefix_tokens=1),
    query_scheme("irpe", "quant", 2, (4, 4), (2, 16, 4), method="quant", shared_head=False),
    query_scheme(
        "irpe", "cross", 3, (3, 4), (2, 14, 4), 14, method="cross", rpe_on="qk", num_prefix_tokens=2
    ),
    query_scheme("irpe", "other_grids", 2, 3, (2, 4, 4), 10, IRPE_GRIDS, method="cross", rpe_on="qkv"),
    scheme("irpe_bias", "product", 6, (3, 5), num_prefix_tokens=1, shared_head=False),
    scheme("irpe_bias", "cross", 2, (4, 3), method="cross"),
    query_scheme("gated_t5", "wavlm", 4, 12, (2, 12, 6), num_buckets=16, max_distance=20),
    query_scheme("gated_t5", "prefix", 6, 5, (2, 6, 4), num_prefix_tokens=1),
    query_scheme("gated_t5", "cache", 2, 9, (3, 2, 5), call={"q_size": 2, "k_size": 8, "q_offset": 6}),
    *with_prefix("1d", "prefix", 7, SEQUENCES),
    *with_prefix("2d", "prefix", (3, 4), GRIDS, 2),
    *with_prefix("maxvit", "prefix", (3, 4), GRIDS),
    *with_prefix("levit", "prefix", (3, 4), GRIDS),
    *with_prefix("t5", "prefix", 5, SEQUENCES, num_buckets=8, max_distance=6),
    *with_prefix("alibi", "prefix", 5, SEQUENCES),
    *with_prefix("alibi", "causal_prefix", 5, SEQUENCES, 2, causal=True, learned_slopes=True),
    *with_prefix("alibi2d", "prefix", (3, 4), GRIDS, learned_slopes=True),
    *with_prefix("kerple", "causal_prefix", 5, SEQUENCES, causal=True),
    *with_prefix("fire", "prefix", 5, SEQUENCES, 2, hidden_features=6, init_length=4),
    *with_prefix("fire", "causal_prefix", 5, SEQUENCES, hidden_features=6, init_length=4, causal=True),
    *with_prefix("sandwich", "causal_prefix", 5, SEQUENCES, sinusoid_dim=8, causal=True),
    *with_prefix("dynamic_1d", "prefix", 5, SEQUENCES, hidden_features=6),
    *with_prefix("log_cpb", "prefix", (3, 4), GRIDS, 2, hidden_features=6),
    *with_prefix("sum", "prefix", (3, 4), GRIDS, parts=OFFSETS),
    *query_with_prefix("shaw", 7, SEQUENCES, max_distance=2),
    *query_with_prefix("transformer_xl", 5, SEQUENCES, 2, keys=True),
    *query_with_prefix("decomposed", (3, 4), GRIDS),
    *query_with_prefix("halo", (3, 4), GRIDS),
    *query_with_prefix("irpe", (3, 4), GRIDS, 2, keys=True, method="cross", rpe_on="qk"),
    *query_with_prefix("gated_t5", 5, SEQUENCES, num_buckets=8, max_distance=6),
]
