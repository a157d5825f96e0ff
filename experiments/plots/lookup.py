"""Pictures of the lookup bias = table[index]: its parts alone, and all on one page."""

import numpy as np
from matplotlib.ticker import MaxNLocator

from .offsets import count_offsets
from .panels import draw_bias, draw_counts, draw_head_lines, draw_index, draw_query_map, draw_table
from .style import new_figure, styled, symmetric_limit

WHOLE = MaxNLocator(integer=True)
SECTION = {"fontsize": 10.5, "fontweight": "normal"}


@styled
def index_matrix(index, title="index[i, j]: the row of the table that query i and key j share"):
    """Draw index (Lq, Lk), integers."""
    figure = new_figure(6.5, 6, title)
    ax = figure.subplots()
    figure.colorbar(draw_index(ax, index), ax=ax, label="row of the table", aspect=30)
    return figure


@styled
def table_picture(table, title="The table: one number for each offset and head"):
    """Draw table (R, H)."""
    figure = new_figure(6.5, 0.35 * table.shape[1] + 1.4, title)
    ax = figure.subplots()
    figure.colorbar(draw_table(ax, table, symmetric_limit(table)), ax=ax, label="bias", aspect=12)
    return figure


@styled
def offset_counts(grid, title="How many pairs of tokens share each offset"):
    """Draw how often each offset occurs on grid (h, w) or (L,).

    Far offsets are rare, so their rows of the table get little gradient.
    """
    figure = new_figure(6.5, 3.4 if len(grid) == 1 else 5.6, title)
    ax = figure.subplots()
    if image := draw_counts(ax, count_offsets(grid)):
        figure.colorbar(image, ax=ax, label="pairs", aspect=30, ticks=WHOLE)
    return figure


@styled
def overview(index, table, grid, query, title):
    """Draw index (L, L), table (R, H), counts, bias and one query's row of it; no prefix tokens."""
    bias = np.moveaxis(table[index], -1, 0)  # (H, L, L)
    limit = symmetric_limit(bias)
    figure = new_figure(8.6, 9.4, title, layout="constrained")
    top, middle, bottom = figure.subfigures(3, 1, height_ratios=[4.1, 2.6, 2.7])
    _draw_parts(top, index, table, grid, limit)
    middle.suptitle("bias[h, i, j] = table[index[i, j], h]", **SECTION)
    axes = middle.subplots(1, len(bias), squeeze=False)[0]
    for head, (ax, values) in enumerate(zip(axes, bias, strict=True)):
        image = draw_bias(ax, values, limit)
        ax.set(title=f"head {head}", xlabel="key j", xticks=[], yticks=[])
    axes[0].set_ylabel("query i")
    middle.colorbar(image, ax=axes, label="bias", aspect=15)
    _draw_query(bottom, bias, grid, query, limit)
    return figure


def _draw_parts(figure, index, table, grid, limit):
    left, right = figure.subfigures(1, 2, width_ratios=[1.15, 1])
    ax = left.subplots()
    draw_index(ax, index)
    ax.set_title("index[i, j]: a row of the table for each pair")
    upper, lower = right.subfigures(2, 1, height_ratios=[1, 1.8])
    above, below = upper.subplots(), lower.subplots()
    draw_table(above, table, limit)
    above.set_title(f"table: {table.shape[0]} offsets × {table.shape[1]} heads")
    image = draw_counts(below, count_offsets(grid))
    below.set_title("how many pairs share an offset")
    if image:
        lower.colorbar(image, ax=below, label="pairs", aspect=15, ticks=WHOLE)


def _draw_query(figure, bias, grid, query, limit):
    figure.suptitle(
        f"row {query} of the bias: what query {query} adds to its score with each key", **SECTION
    )
    if len(grid) == 1:
        ax = figure.subplots()
        draw_head_lines(ax, np.arange(grid[0]), bias[:, query])
        ax.axvline(query, color="black", linewidth=1, linestyle="--", label="query")
        ax.set_xlabel("key")
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        return
    axes = figure.subplots(1, len(bias), squeeze=False)[0]
    for ax, values in zip(axes, bias[:, query].reshape(-1, *grid), strict=True):
        image = draw_query_map(ax, values, query, limit)
        ax.set_xlabel("key x")
    axes[0].set_ylabel("key y")
    figure.colorbar(image, ax=axes, label="bias", aspect=15)
