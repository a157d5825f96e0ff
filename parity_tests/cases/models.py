"""The cases of attention, blocks and whole models."""

from ._case import Mask, Normal, attention, block, vit

GRID, PREFIX = {"window_size": (3, 4)}, {"num_prefix_tokens": 1}
CAUSAL = GRID | {"bias_type": "kerple", "causal": True}
SHAW_KEYS = {"bias_type": "shaw", "values": False}
DECOMPOSED = GRID | {"bias_type": "decomposed"}
HALO = {"window_size": (4, 5), "bias_type": "halo", "halo_size": 1}
GRAPH = ((0, 1, 2), (1, 0, -1), (2, -1, 0))
ONE_TWO = ({"bias_type": "1d"}, {"bias_type": "2d"})
ATTENTION = [
    attention("2d", "tokens", (2, 12, 24), 4, GRID | {"bias_type": "2d"}),
    attention("2d", "class_token", (2, 13, 24), 6, GRID | {"bias_type": "2d", "num_prefix_tokens": 1}),
    attention("2d", "no_qkv_bias", (2, 12, 24), 3, GRID | {"bias_type": "2d"}, qkv_bias=False),
    attention("2d", "mask", (6, 12, 8), 2, GRID | {"bias_type": "2d"}, {"mask": Mask((3, 1, 12, 12))}),
    attention("2d", "dense", (2, 12, 8), 2, GRID | {"bias_type": "2d"}, {"bias": Normal((2, 12, 12))}),
    attention("2d", "dropout", (2, 12, 8), 2, GRID | {"bias_type": "2d"}, attn_drop=0.2, proj_drop=0.1),
    attention("1d", "tokens", (2, 9, 12), 3, {"window_size": 9, "bias_type": "1d"}),
    attention("t5", "longer", (2, 20, 12), 3, {"window_size": 9, "bias_type": "t5"}),
    attention(
        "alibi", "causal", (2, 9, 12), 3, {"window_size": 9, "bias_type": "alibi", "causal": True}
    ),
    attention(
        "log_cpb",
        "cosine",
        (2, 12, 24),
        6,
        GRID | {"bias_type": "log_cpb", "hidden_features": 8},
        cosine_attention=True,
    ),
    attention("3d", "clip", (2, 13, 12), 3, {"window_size": (2, 3, 2), "bias_type": "3d"} | PREFIX),
    attention("levit", "stride", (2, 13, 12), 3, GRID | {"bias_type": "levit", "stride": 2} | PREFIX),
    attention("maxvit", "tokens", (2, 12, 12), 2, GRID | {"bias_type": "maxvit"}),
    attention("rel_pos_mlp", "tokens", (2, 13, 12), 3, GRID | {"bias_type": "rel_pos_mlp"} | PREFIX),
    attention("dynamic", "tokens", (2, 12, 12), 3, GRID | {"bias_type": "dynamic"}),
    attention("dynamic_1d", "longer", (2, 14, 12), 3, GRID | {"bias_type": "dynamic_1d"}),
    attention("alibi", "learned", (2, 12, 12), 6, GRID | {"bias_type": "alibi", "learned_slopes": True}),
    attention("alibi2d", "tokens", (2, 12, 12), 3, GRID | {"bias_type": "alibi2d"}),
    attention("kerple", "causal", (2, 12, 12), 3, GRID | {"bias_type": "kerple", "causal": True}),
    attention("fire", "longer", (2, 15, 12), 3, GRID | {"bias_type": "fire"}),
    attention("sandwich", "longer", (2, 15, 12), 3, GRID | {"bias_type": "sandwich"}),
    attention(
        "custom", "graph", (2, 3, 12), 3, {"window_size": 3, "bias_type": "custom", "index": GRAPH}
    ),
    attention("sum", "1d_2d", (2, 13, 12), 3, GRID | {"bias_type": "sum", "parts": ONE_TWO} | PREFIX),
    attention("shaw", "tokens", (2, 12, 12), 3, GRID | {"bias_type": "shaw", "max_distance": 3}),
    attention("shaw", "longer", (2, 15, 12), 2, GRID | {"bias_type": "shaw"} | PREFIX),
    attention(
        "shaw", "drop", (2, 12, 12), 3, GRID | {"bias_type": "shaw"}, attn_drop=0.2, proj_drop=0.1
    ),
    attention(
        "shaw",
        "dense_mask",
        (2, 12, 8),
        2,
        GRID | {"bias_type": "shaw", "values": False},
        {"bias": Normal((2, 12, 12)), "mask": Mask((12, 12))},
    ),
    attention("transformer_xl", "tokens", (2, 12, 12), 3, GRID | {"bias_type": "transformer_xl"}),
    attention(
        "transformer_xl", "longer", (2, 16, 12), 6, GRID | {"bias_type": "transformer_xl"} | PREFIX
    ),
    attention(
        "transformer_xl",
        "dense_mask",
        (4, 12, 8),
        2,
        GRID | {"bias_type": "transformer_xl"},
        {"bias": Normal((2, 12, 12)), "mask": Mask((2, 1, 12, 12))},
    ),
    attention(
        "2d",
        "cosine_dense_mask",
        (4, 13, 8),
        2,
        GRID | {"bias_type": "2d"} | PREFIX,
        {"bias": Normal((2, 13, 13)), "mask": Mask((2, 1, 13, 13))},
        cosine_attention=True,
    ),
    attention("decomposed", "tokens", (2, 13, 12), 3, GRID | {"bias_type": "decomposed"} | PREFIX),
    attention("halo", "botnet", (2, 12, 12), 3, GRID | {"bias_type": "halo"}),
    attention("halo", "halo", (2, 13, 12), 3, GRID | {"bias_type": "halo", "halo_size": 1} | PREFIX),
    attention("irpe", "qkv", (2, 13, 12), 3, GRID | {"bias_type": "irpe", "rpe_on": "qkv"} | PREFIX),
    attention("irpe", "cross", (2, 12, 12), 3, GRID | {"bias_type": "irpe", "method": "cross"}),
    attention("irpe", "value_only", (2, 12, 12), 3, GRID | {"bias_type": "irpe", "rpe_on": "v"}),
    attention("irpe_bias", "tokens", (2, 12, 12), 3, GRID | {"bias_type": "irpe_bias"}),
    attention("gated_t5", "longer", (2, 16, 12), 3, GRID | {"bias_type": "gated_t5"} | PREFIX),
    attention(
        "decomposed", "cosine", (2, 12, 12), 3, GRID | {"bias_type": "decomposed"}, cosine_attention=True
    ),
    attention("halo", "cosine", (2, 20, 12), 3, HALO, cosine_attention=True),
    attention("t5", "wide_unscaled", (2, 12, 10), 3, GRID | {"bias_type": "t5"}, head_dim=6, scale=1.0),
    attention("shaw", "narrow_heads", (2, 12, 12), 3, GRID | {"bias_type": "shaw"}, head_dim=2),
    attention("halo", "wide_heads", (2, 20, 6), 2, HALO, head_dim=5, scale=0.3),
    attention("2d", "wide_cosine", (2, 12, 8), 2, GRID, head_dim=7, cosine_attention=True),
    attention("kerple", "16_channels", (2, 13, 8), 2, CAUSAL | PREFIX, head_dim=16),
    attention("shaw", "16_channels", (2, 12, 8), 2, GRID | SHAW_KEYS, head_dim=16),
    attention("decomposed", "16_channels", (2, 13, 8), 2, DECOMPOSED | PREFIX, head_dim=16),
    attention("2d", "no_k_bias", (2, 13, 24), 6, GRID | PREFIX, k_bias=False),
    attention(
        "log_cpb",
        "cosine_no_k_bias",
        (2, 12, 12),
        2,
        GRID | {"bias_type": "log_cpb", "hidden_features": 8},
        k_bias=False,
        cosine_attention=True,
        head_dim=5,
    ),
    attention("none", "tokens", (2, 5, 12), 3),
    attention("none", "one_token", (1, 1, 4), 1),
]

T5, PATH = {"bias_type": "t5"}, {"drop_path": 0.3}
BLOCKS = [
    block("2d", "tokens", (2, 12, 24), 4, GRID | {"bias_type": "2d"}),
    block(
        "2d", "dense_mask", (2, 12, 8), 2, None, {"bias": Normal((2, 12, 12)), "mask": Mask((12, 12))}
    ),
    block("2d", "drop", (4, 12, 8), 2, GRID, proj_drop=0.2, attn_drop=0.1, drop_path=0.3),
    block("log_cpb", "cosine", (2, 12, 24), 3, GRID | {"bias_type": "log_cpb"}, cosine_attention=True),
    block("2d", "layer_scale", (2, 12, 8), 2, GRID, init_values=0.1, norm_eps=1e-5, qkv_bias=False),
    block("t5", "layer_scale_drop", (4, 12, 8), 2, GRID | T5, init_values=0.5, proj_drop=0.2, **PATH),
    block("2d", "no_k_bias", (2, 12, 8), 2, GRID, k_bias=False),
    block(
        "2d", "res_post_norm", (2, 12, 8), 2, GRID, res_post_norm=True, init_values=0.3, norm_eps=1e-3
    ),
    block(
        "2d",
        "res_post_norm_dense_drop",
        (4, 12, 8),
        2,
        None,
        {"bias": Normal((2, 12, 12)), "mask": Mask((12, 12))},
        res_post_norm=True,
        proj_drop=0.2,
        **PATH,
    ),
    block("t5", "wide_unscaled", (2, 12, 8), 2, GRID | T5, head_dim=6, scale=1.0, mlp_ratio=1.5),
]

SUM = {"bias_type": "sum", "parts": ONE_TWO}
SMALL = {"img_size": (6, 8), "patch_size": 2}
BEIT = {"class_token": True, "global_pool": "avg", "fc_norm": True, "k_bias": False, "init_values": 0.1}
RELPOS = {"global_pool": "avg", "qkv_bias": False, "rpb_kwargs": {"bias_type": "rel_pos_mlp"}}
RELPOS |= {"init_values": 0.5}
MODELS = [
    vit("2d", "class_token", 3, **SMALL),
    vit("2d", "mean_six_heads", 2, **SMALL, global_pool="avg", num_heads=6),
    vit("2d", "shared", 3, **SMALL, position="shared_relative"),
    vit("2d", "drop", 4, **SMALL, drop_rate=0.1, attn_drop_rate=0.1, drop_path_rate=0.3),
    vit("2d", "oblong_patch_rgb", 2, img_size=(6, 9), patch_size=(2, 3), in_chans=3),
    vit("2d", "layer_scale", 2, **SMALL, init_values=1e-5, norm_eps=1e-3),
    vit("2d", "one_patch", 2, img_size=(4, 4), patch_size=4, global_pool="avg"),
    vit("1d", "mean", 2, **SMALL, global_pool="avg", rpb_kwargs={"bias_type": "1d"}),
    vit("t5", "class_token", 2, **SMALL, rpb_kwargs={"bias_type": "t5", "num_buckets": 8}),
    vit("alibi", "shared", 2, **SMALL, position="shared_relative", rpb_kwargs={"bias_type": "alibi"}),
    vit("log_cpb", "cosine", 2, **SMALL, rpb_kwargs={"bias_type": "log_cpb"}, cosine_attention=True),
    vit("3d", "class_token", 2, **SMALL, rpb_kwargs={"bias_type": "3d"}),
    vit("kerple", "shared", 2, **SMALL, position="shared_relative", rpb_kwargs={"bias_type": "kerple"}),
    vit("sum", "shared", 2, **SMALL, position="shared_relative", rpb_kwargs=SUM),
    vit("shaw", "class_token", 2, **SMALL, rpb_kwargs={"bias_type": "shaw"}),
    vit(
        "transformer_xl",
        "mean",
        2,
        **SMALL,
        global_pool="avg",
        rpb_kwargs={"bias_type": "transformer_xl"},
    ),
    vit("decomposed", "class_token", 2, **SMALL, rpb_kwargs={"bias_type": "decomposed"}),
    vit("halo", "mean", 2, **SMALL, global_pool="avg", rpb_kwargs={"bias_type": "halo"}),
    vit("irpe", "class_token", 2, **SMALL, rpb_kwargs={"bias_type": "irpe", "rpe_on": "qkv"}),
    vit("gated_t5", "class_token", 2, **SMALL, rpb_kwargs={"bias_type": "gated_t5"}),
    vit("2d", "beit", 2, **SMALL, **BEIT, use_abs_pos_emb=True),
    vit("2d", "beit_shared", 2, **SMALL, **BEIT, position="shared_relative"),
    vit("2d", "token_fc_norm", 2, **SMALL, fc_norm=True),
    vit("2d", "class_token_before_avg", 2, **SMALL, global_pool="avg", class_token=True),
    vit("rel_pos_mlp", "relpos", 2, **SMALL, **RELPOS, fc_norm=True, class_token=True),
    vit("rel_pos_mlp", "relpos_rpn", 4, **SMALL, **RELPOS, res_post_norm=True, drop_path_rate=0.3),
    vit(
        "rel_pos_mlp",
        "srelpos_rpn_absolute",
        2,
        **SMALL,
        **RELPOS,
        position="shared_relative",
        use_abs_pos_emb=True,
        res_post_norm=True,
    ),
    vit("absolute", "class_token", 2, **SMALL, position="absolute"),
    vit("none", "mean", 2, **SMALL, position="none", global_pool="avg"),
]
