"""The cases of Swin's blocks and whole Swin Transformers, versions 1 and 2."""

from ._case import swin, swin_block

SHIFT, DROPS = {"shift_size": (1, 2)}, {"proj_drop": 0.2, "attn_drop": 0.1, "drop_path": 0.3}
SMALL_MLP = {"rpb_kwargs": {"bias_type": "log_cpb", "hidden_features": 8}}
SWIN_BLOCKS = [
    swin_block("v1", "plain", (2, 6, 10, 12), 3, (3, 5)),
    swin_block("v1", "shifted", (2, 6, 10, 12), 3, (3, 5), **SHIFT),
    swin_block("v1", "padded", (2, 5, 7, 12), 2, (3, 4), **SHIFT),
    swin_block("v1", "map_smaller", (2, 2, 3, 8), 2, (3, 4), **SHIFT),
    swin_block("v1", "one_row_of_windows", (2, 3, 9, 8), 2, (3, 4), **SHIFT),
    swin_block("v1", "one_token", (1, 1, 1, 8), 2, 7, shift_size=3),
    swin_block("v1", "drop", (4, 4, 6, 8), 2, (2, 3), shift_size=1, **DROPS),
    swin_block("v1", "wide_heads", (2, 4, 6, 8), 2, (2, 3), head_dim=6, qkv_bias=False, mlp_ratio=1.5),
    swin_block("v1", "no_bias", (2, 4, 6, 8), 2, (2, 3), shift_size=1, use_relative_position=False),
    swin_block("v1", "decomposed", (2, 4, 6, 8), 2, (2, 3), rpb_kwargs={"bias_type": "decomposed"}),
    swin_block("v1", "3d", (2, 4, 6, 8), 2, (2, 3), shift_size=1, rpb_kwargs={"bias_type": "3d"}),
    swin_block("v2", "shifted", (2, 6, 10, 12), 3, (3, 5), **SHIFT, **SMALL_MLP),
    swin_block("v2", "padded_drop", (4, 5, 7, 12), 2, (3, 4), **SHIFT, **SMALL_MLP, **DROPS),
    swin_block(
        "v2", "2d_no_qkv_bias", (2, 4, 6, 8), 2, 2, qkv_bias=False, rpb_kwargs={"bias_type": "2d"}
    ),
]

SWINS = [
    swin("v1", "oblong", (2, 3, 12, 16), window_size=(3, 4)),
    swin("v1", "windows_do_not_divide", (2, 1, 10, 14), window_size=(3, 4)),
    swin(
        "v1",
        "drop",
        (3, 1, 12, 12),
        window_size=3,
        drop_rate=0.1,
        proj_drop_rate=0.1,
        attn_drop_rate=0.1,
    ),
    swin(
        "v1",
        "features",
        (2, 1, 20, 12),
        window_size=3,
        depths=(1, 2, 1, 1),
        num_heads=(1, 2, 4, 4),
        features_only=True,
        out_indices=(0, 2),
    ),
    swin("v1", "other_image", (2, 1, 10, 18), img_size=12, strict_img_size=False, window_size=3),
    swin("v1", "always_partition", (2, 1, 8, 6), window_size=(3, 4), always_partition=True),
    swin("v1", "no_head", (2, 1, 8, 12), window_size=2, num_classes=0, depths=(1, 1)),
    swin("v2", "oblong", (2, 3, 12, 16), window_size=(3, 4), **SMALL_MLP),
    swin("v2", "pretrained_windows", (2, 1, 10, 14), window_size=3, pretrained_window_sizes=(6, 0)),
    swin("v2", "features", (2, 1, 12, 10), window_size=3, features_only=True, **SMALL_MLP),
]
