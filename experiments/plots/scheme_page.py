"""The page of a scheme, in one layout for all: bias by offset, one query's row, index and table."""

import numpy as np
from matplotlib.ticker import MaxNLocator

from .panels import draw_table, frame_cell
from .scheme_maps import draw_by_offset, draw_lines, draw_maps, slices_by_head
from .style import SEQUENTIAL, new_figure, styled, symmetric_limit

WIDTH, HEIGHT = 11.0, 7.0  # inches; boxes too, as (from the left, from the top, width, height)
BIAS, ROW = (0.8, 2.25, 5.0, 1.55), (0.8, 4.95, 5.0, 1.55)
INDEX, TABLE = (7.1, 2.25, 3.2, 2.1), (7.1, 5.3, 3.2, 1.2)
LABELS = {"lines": ("Δ", "bias"), "maps": ("Δx", "Δy"), "matrices": ("key j", "query i")}
OFFSETS, PAIRS = "bias over the offset Δ = query − key", "bias: it depends on more than the offset"


@styled
def scheme_page(view):
    """Draw a SchemeView. White is zero; the colours end at the largest absolute value."""
    figure = new_figure(WIDTH, HEIGHT, layout="none", dpi=120)  # small files, as the repository has many
    limit = symmetric_limit(view.bias)
    _write(figure, 0.3, 0.42, view.name, fontsize=18, fontweight="bold")
    _write(figure, 0.3, 0.76, view.what, fontsize=12)
    for line, text in enumerate(view.how.split("\n")):
        _write(figure, 0.3, 1.03 + 0.2 * line, text, fontsize=9.5, color="0.35")
    _draw_bias(figure, view, limit)
    _draw_row(figure, view, limit)
    _draw_indices(figure, view)
    _draw_tables(figure, view, limit if view.by_head else symmetric_limit(*view.tables))
    return figure


def _draw_bias(figure, view, limit):
    axes, kind = draw_by_offset(figure, _place(BIAS), view, limit)
    _head(figure, BIAS, PAIRS if kind == "matrices" else OFFSETS)
    _name(figure, BIAS, axes, view.heads, *LABELS[kind])
    _name_slices(axes, "Δt", -(len(axes) // 2))


def _draw_row(figure, view, limit):
    place = view.queries[view.shown]
    cell = tuple(int(n) for n in np.unravel_index(place, view.grid))
    if len(cell) == 1:
        axes = [[draw_lines(figure, _place(ROW), np.arange(view.grid[0]), view.row, limit)]]
        axes[0][0].axvline(place, color="black", linewidth=1, linestyle="--")
        _name(figure, ROW, axes, view.heads, "key", "bias")
    else:
        axes = draw_maps(figure, _place(ROW), slices_by_head(view.row), (0, 0), limit)
        for ax in axes[np.ravel_multi_index(cell[:-2], view.grid[:-2]) if cell[2:] else 0]:
            frame_cell(ax, *cell[-2:])
        _name(figure, ROW, axes, view.heads, "key x", "key y")
        _name_slices(axes, "t", 0)
    own = f"{place} (dashed line)" if len(cell) == 1 else f"at {cell} (frame)"
    _head(figure, ROW, f"what the query {own} adds to its score with each key")


def _draw_indices(figure, view):
    _head(figure, INDEX, "index: which row of the table a pair reads")
    highest = max(int(index.max()) for index in view.indices)
    boxes = _split(INDEX, len(view.indices), INDEX[3])
    for number, (box, index) in enumerate(zip(boxes, view.indices, strict=True)):
        ax = figure.add_axes(_place(box))
        image = ax.imshow(index, cmap=SEQUENTIAL, vmin=0, vmax=highest, aspect="auto")
        # The arrow points at the shown query.
        ax.plot(index.shape[1] - 0.5, view.shown, marker=4, color="black", clip_on=False)
        ax.set(xlabel="key j", xticks=[0, index.shape[1] - 1], yticks=[])
        ax.spines[:].set_visible(False)
        if number == 0:
            ax.set(ylabel="query i", yticks=[0, len(index) - 1])
    _scale(figure, box, image, ticks=MaxNLocator(integer=True))


def _draw_tables(figure, view, limit):
    rows, columns = view.tables[0].shape
    what = "table" if view.by_head else "table of vectors"
    what = f"{len(view.tables)} {what.replace('table', 'tables')}" if len(view.tables) > 1 else what
    masked = " (grey: −∞)" if np.isneginf(view.tables[0]).any() else ""
    _head(figure, TABLE, f"{what}: {rows} × {columns}{masked}")
    boxes = _split(TABLE, len(view.tables), TABLE[2])
    for number, (box, table) in enumerate(zip(boxes, view.tables, strict=True)):
        ax = figure.add_axes(_place(box))
        image = draw_table(ax, table, limit)
        if not view.by_head:
            ax.set(ylabel="dimension", yticks=[0, columns - 1])
        if number:
            ax.set(ylabel="", yticks=[])
    _scale(figure, box, image)


def _name(figure, box, axes, heads, xlabel, ylabel):
    """Label the axes and heads, and draw the colour scale; for lines draw a legend instead."""
    first = axes[-1][0]
    if not first.images:
        first.set(xlabel=xlabel, ylabel=ylabel)
        lines = first.lines[: len(heads)]
        style = {"ncols": len(heads), "loc": "lower left", "borderaxespad": 0, "handlelength": 1.2}
        first.legend(lines, heads, bbox_to_anchor=(0, 1.03), columnspacing=1.5, **style)
        return
    first.set(xlabel=xlabel, ylabel=ylabel)
    for ax, name in zip(axes[0], heads, strict=True):
        ax.set_title(name, fontsize=9.5)
    _scale(figure, box, first.images[0])


def _name_slices(axes, axis, first):
    """Write the slice's number to the left of each line of maps, if there are several."""
    if len(axes) > 1:
        for number, line in enumerate(axes, first):
            line[0].set_ylabel(f"{axis} {number}".replace("-", "−"), rotation=0, ha="right", va="center")
            line[0].yaxis.set_label_coords(-0.3 / (line[0].get_position().width * WIDTH), 0.5)


def _head(figure, box, text):
    _write(figure, box[0], box[1] - 0.32, text, fontsize=11, fontweight="bold")


def _scale(figure, box, image, ticks=None):
    left, top, width, height = box
    scale = figure.add_axes(_place((left + width + 0.15, top, 0.1, height)))
    figure.colorbar(image, cax=scale, ticks=ticks)


def _split(box, parts, widest, gap=0.25):
    """Split a box into `parts` boxes side by side, each at most `widest` wide."""
    left, top, width, height = box
    each = min(widest, (width - gap * (parts - 1)) / parts)
    return [(left + n * (each + gap), top, each, height) for n in range(parts)]


def _place(box):
    left, top, width, height = box
    return left / WIDTH, 1 - (top + height) / HEIGHT, width / WIDTH, height / HEIGHT


def _write(figure, left, top, text, **style):
    figure.text(left / WIDTH, 1 - top / HEIGHT, text, **style)
