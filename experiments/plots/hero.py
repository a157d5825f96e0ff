"""Relative position bias in one picture: table → index → bias → the bias of one query on the grid."""

import itertools

import numpy as np

from .offsets import offset_shape
from .panels import draw_bias, draw_offset_map, frame_cell
from .style import SEQUENTIAL, new_figure, styled, symmetric_limit

ROW, PAIR, PAIR_TEXT = "black", "#f0a202", "#a86a00"
WIDTH, HEIGHT = 10.67, 4.0  # inches; the lengths below are fractions of these
LEFT, BOTTOM, SIDE, STEP = 0.025, 0.13, 0.19, 0.237
TOP = BOTTOM + SIDE * WIDTH / HEIGHT
TITLE = "Relative position bias: a learned number for where a key lies, seen from the query"


@styled
def hero(index, table, grid, query, key, head, subtitle=""):
    """Draw table, index and bias of one head, and the bias of one query on the grid.

    index: (L, L). table: (R, H), a row per offset of grid (h, w); no prefix tokens.
    query: token with a black frame in each panel; key: its pair with `query` has an orange frame.
    """
    bias = table[index, head]
    limit = symmetric_limit(table[:, head])
    figure = new_figure(WIDTH, HEIGHT, layout="none")
    figure.text(0.5, 0.93, TITLE, ha="center", fontsize=15, fontweight="bold")
    figure.text(0.5, 0.865, subtitle, ha="center", fontsize=11.5, color="0.3")
    axes = [figure.add_axes((LEFT + STEP * n, BOTTOM, SIDE, TOP - BOTTOM)) for n in range(4)]
    draw_offset_map(axes[0], table[:, head].reshape(offset_shape(grid)), limit)
    axes[1].imshow(index, cmap=SEQUENTIAL)
    draw_bias(axes[2], bias, limit)
    image = draw_bias(axes[3], bias[query].reshape(grid), limit)
    for ax in axes:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    _mark(axes, grid, query, key)
    _name(axes, grid, len(table), index[query, key], bias[query, key], query, key)
    _join(figure, axes, image)
    return figure


def _mark(axes, grid, query, key):
    (qy, qx), (ky, kx) = (np.unravel_index(token, grid) for token in (query, key))
    height, width = grid
    # The query meets the keys (0, 0) … (h − 1, w − 1) at the offsets q … q − (h − 1, w − 1).
    frame_cell(axes[0], qy - height + 1, qx - width + 1, height, width, ROW)
    frame_cell(axes[0], qy - ky, qx - kx, colour=PAIR)
    for ax in axes[1:3]:
        frame_cell(ax, query, 0, 1, height * width, ROW)
        frame_cell(ax, query, key, colour=PAIR)
    frame_cell(axes[3], 0, 0, height, width, ROW)
    frame_cell(axes[3], ky, kx, colour=PAIR)
    axes[3].text(qx, qy, "query", ha="center", va="center", fontsize=10, fontweight="bold")


def _name(axes, grid, size, row, value, query, key):
    number = f"{value:+.2f}".replace("-", "−")
    patches = "×".join(map(str, grid))
    texts = (
        ("table", f"a number for each of the\n{size} offsets query − key", f"table[{row}] = {number}"),
        (
            "index",
            "the row of the table that\na pair of patches reads",
            f"index[{query}, {key}] = {row}",
        ),
        (
            "bias = table[index]",
            "a number for every pair,\nadded to its score",
            f"bias[{query}, {key}] = {number}",
        ),
        (
            "one query's view",
            f"its row of the bias,\nfolded to {patches} patches",
            f"patch {key}: {number}",
        ),
    )
    for ax, (name, what, example) in zip(axes, texts, strict=True):
        style = {"transform": ax.transAxes, "ha": "center"}
        ax.text(0.5, 1.26, name, fontsize=14, fontweight="bold", **style)
        for line, height in zip(what.split("\n"), (1.14, 1.045), strict=True):
            ax.text(0.5, height, line, fontsize=11.5, color="0.3", **style)
        ax.text(0.5, -0.15, example, fontsize=12.5, color=PAIR_TEXT, **style)


def _join(figure, axes, image):
    """Draw the arrows between the panels and the colour scale on the right."""
    for left, right in itertools.pairwise(axes):
        x = (left.get_position().x1 + right.get_position().x0) / 2
        figure.text(x, (BOTTOM + TOP) / 2, "→", fontsize=24, ha="center", va="center", color="0.35")
    scale = figure.add_axes((LEFT + 3 * STEP + SIDE + 0.014, BOTTOM, 0.009, TOP - BOTTOM))
    figure.colorbar(image, cax=scale)
    scale.tick_params(labelsize=11)
