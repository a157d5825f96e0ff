"""The cases of functions that are no ops: a table, and a position embedding, for another window."""

from ._case import Normal, function

TABLE_7 = Normal((13 * 13 + 3, 3))  # of 7×7, with prefix rows
RESIZE = {"window_size": (3, 5), "new_window_size": (5, 8)}

FUNCTIONS = [
    function("resize_table", "bicubic", RESIZE, table=Normal((45, 4))),
    function("resize_table", "linear", RESIZE | {"method": "linear"}, table=Normal((45, 4))),
    function("resize_table", "geometric", RESIZE | {"method": "geometric"}, table=Normal((45, 4))),
    function(
        "resize_table",
        "swin_7_to_12_prefix",
        {"window_size": (7, 7), "new_window_size": (12, 12), "num_prefix_tokens": 1},
        table=TABLE_7,
    ),
    function(
        "resize_table",
        "smaller_3d",
        {"window_size": (2, 3, 4), "new_window_size": (3, 3, 2)},
        table=Normal((3 * 5 * 7, 2)),
    ),
    function(
        "resize_table",
        "smaller_oblong_prefix",
        {"window_size": (6, 4), "new_window_size": (3, 7), "num_prefix_tokens": 2},
        table=Normal((11 * 7 + 3, 5)),
    ),
    function(
        "resize_table",
        "geometric_prefix",
        {
            "window_size": (4, 2),
            "new_window_size": (7, 3),
            "method": "geometric",
            "num_prefix_tokens": 1,
        },
        table=Normal((7 * 3 + 3, 3)),
    ),
    function(
        "resize_table",
        "one_axis_one_head",
        {"window_size": (3, 4), "new_window_size": (3, 6), "method": "linear"},
        table=Normal((35, 1)),
    ),
    function(
        "resize_table", "sequence", {"window_size": 9, "new_window_size": 4}, table=Normal((17, 2))
    ),
    function(
        "resize_pos_embed",
        "bicubic_prefix",
        {"grid_size": (3, 5), "new_grid_size": (6, 4), "num_prefix_tokens": 2},
        pos_embed=Normal((1, 17, 6)),
    ),
    function(
        "resize_pos_embed",
        "linear",
        {"grid_size": (4, 4), "new_grid_size": (6, 6), "method": "linear"},
        pos_embed=Normal((1, 16, 5)),
    ),
]
