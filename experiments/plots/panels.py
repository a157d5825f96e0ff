"""Functions that each draw an array into given axes."""

import numpy as np
from matplotlib import patheffects
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from .style import DIVERGING, LIGHT_TO_DARK, SEQUENTIAL, head_colours

HALO = [patheffects.withStroke(linewidth=4, foreground="white")]


def draw_offset_map(ax, values, limit):
    """Draw values (2h − 1, 2w − 1), Δx to the right and Δy downwards; colours from −limit to limit."""
    image = draw_bias(ax, values, limit, extent=_offset_extent(values.shape))
    _offset_ticks(ax, values.shape)
    return image


def draw_bias(ax, values, limit, **options):
    """Draw a matrix of biases, white at zero, grey where it is not finite."""
    ax.spines[:].set_visible(False)
    return ax.imshow(np.ma.masked_invalid(values), cmap=DIVERGING, vmin=-limit, vmax=limit, **options)


def draw_head_lines(ax, positions, values):
    """Draw a line per head: values (H, N) at positions (N,); positions masked in every head are grey."""
    for head, (line, colour) in enumerate(zip(values, head_colours(len(values)), strict=True)):
        shown = np.where(np.isfinite(line), line, np.nan)
        ax.plot(positions, shown, color=colour, marker=".", markersize=5, label=f"head {head}")
    for position in positions[~np.isfinite(values).any(0)]:
        ax.axvspan(position - 0.5, position + 0.5, color="0.88", linewidth=0)
    ax.axhline(0, color="0.6", linewidth=0.8, zorder=0)
    ax.set_ylabel("bias")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def draw_query_map(ax, values, query, limit):
    """Draw one query's bias with every key, values (h, w), with a black frame at the query."""
    image = draw_bias(ax, values, limit)
    frame_cell(ax, *np.unravel_index(query, values.shape))
    ax.set_xticks(_ends(values.shape[1]))
    ax.set_yticks(_ends(values.shape[0]))
    return image


def draw_index(ax, index):
    """Draw index (Lq, Lk), the row of the table that each pair reads; with numbers up to 16 tokens."""
    image = ax.imshow(index, cmap=SEQUENTIAL)
    if max(index.shape) <= 16:
        write_numbers(ax, index, image, fontsize=min(9, 96 / max(index.shape)))
    ax.set(xlabel="key j", ylabel="query i", xticks=_ends(index.shape[1]), yticks=_ends(index.shape[0]))
    ax.spines[:].set_visible(False)
    return image


def draw_table(ax, table, limit):
    """Draw table (R, H) with a line per head and a column per row of the table."""
    image = draw_bias(ax, table.T, limit, aspect="auto")
    ax.set(
        xlabel="row of the table", ylabel="head", xticks=_ends(len(table)), yticks=range(table.shape[1])
    )
    return image


def draw_counts(ax, counts):
    """Draw how often each offset occurs: a map for (2h − 1, 2w − 1), bars for (2L − 1,)."""
    if counts.ndim == 1:
        reach = len(counts) // 2
        ax.bar(np.arange(-reach, reach + 1), counts, width=0.8, color="#3b6fa0")
        ax.set(xlabel="Δ = query − key", ylabel="pairs", xticks=sorted({-reach, 0, reach}))
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))
        return None
    image = ax.imshow(counts, cmap=LIGHT_TO_DARK, vmin=0, extent=_offset_extent(counts.shape))
    _offset_ticks(ax, counts.shape)
    if max(counts.shape) <= 15:
        write_numbers(ax, counts, image, fontsize=min(9, 80 / max(counts.shape)))
    ax.set(xlabel="Δx = query − key", ylabel="Δy")
    ax.spines[:].set_visible(False)
    return image


def write_numbers(ax, numbers, image, fontsize):
    """Write the numbers into the cells of `image`, in black or white for contrast; none where masked."""
    left, _, _, top = image.get_extent()
    red, green, blue, _ = np.moveaxis(image.to_rgba(numbers), -1, 0)
    bright = 0.299 * red + 0.587 * green + 0.114 * blue > 0.55
    for (row, column), number in np.ma.ndenumerate(numbers):
        colour = "black" if bright[row, column] else "white"
        style = {"ha": "center", "va": "center", "fontsize": fontsize, "color": colour}
        # The numbers lie within the panel, so the layout can skip them; for hundreds it is slow.
        ax.text(left + column + 0.5, top + row + 0.5, str(number), in_layout=False, **style)


def frame_cell(ax, row, column, height=1, width=1, colour="black"):
    """Draw a frame with a white halo around the cells that begin at (row, column)."""
    corner = (column - 0.5, row - 0.5)
    frame = Rectangle(corner, width, height, fill=False, edgecolor=colour, linewidth=2)
    frame.set(path_effects=HALO, clip_on=False, zorder=3)
    ax.add_patch(frame)


def _ends(size):
    return sorted({0, size - 1})


def _offset_extent(shape):
    """Return the extent that puts each cell at its own Δx and Δy."""
    dy, dx = shape[0] // 2, shape[1] // 2
    return (-dx - 0.5, dx + 0.5, dy + 0.5, -dy - 0.5)


def _offset_ticks(ax, shape):
    for axis, size in ((ax.yaxis, shape[0]), (ax.xaxis, shape[1])):
        axis.set_ticks(sorted({-(size // 2), 0, size // 2}))
