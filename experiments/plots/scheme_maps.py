"""Draw the bias of a scheme into a part of a figure: as lines, maps, slices of maps, or matrices."""

import numpy as np

from .panels import draw_bias, draw_head_lines

GAP = 0.09  # between maps, as a fraction of their width


def draw_by_offset(figure, place, view, limit, bare=False):
    """Draw the bias over the offset, or as (query, key) matrices where it depends on more.

    place: (left, bottom, width, height), fractions of the figure.
    Returns (axes, kind): axes as a list of lines; kind "lines", "maps" or "matrices".
    """
    values, lowest = view.by_offset()
    if values is None:
        return draw_maps(figure, place, view.bias[None], (0, 0), limit, bare), "matrices"
    if values.ndim == 2:
        positions = lowest[0] + np.arange(values.shape[1])
        return [[draw_lines(figure, place, positions, values, limit, bare)]], "lines"
    return draw_maps(figure, place, slices_by_head(values), lowest[-2:], limit, bare), "maps"


def draw_lines(figure, place, positions, values, limit, bare=False):
    """Draw values (H, N) at positions (N,), all within ±limit; bare: without axes and markers."""
    ax = figure.add_axes(place)
    draw_head_lines(ax, positions, values)
    ax.set_ylim(-1.1 * limit, 1.1 * limit)
    if bare:
        ax.set(xticks=[], yticks=[], ylabel="")
        ax.spines[:].set_visible(False)
        for line in ax.lines:
            line.set(marker="", linewidth=1.3)
    return ax


def draw_maps(figure, place, values, lowest, limit, bare=False):
    """Draw values (slices, H, h, w) as maps and return axes[slice][head].

    lowest: (y, x) of the first cell. Only the lowest left map has ticks.
    bare: no ticks, and four maps of one slice make a square.
    """
    if bare and values.shape[:2] == (1, 4):
        values = values.reshape(2, 2, *values.shape[2:])
    (y, x), (height, width) = lowest, values.shape[2:]
    extent = (x - 0.5, x + width - 0.5, y + height - 0.5, y - 0.5)
    axes = [[figure.add_axes(box) for box in line] for line in _boxes(figure, place, values.shape)]
    for ax, each in zip(np.ravel(axes), values.reshape(-1, height, width), strict=True):
        draw_bias(ax, each, limit, extent=extent, aspect="auto")
        ax.set(xticks=[], yticks=[])
    if not bare:
        axes[-1][0].set(xticks=_ticks(x, width), yticks=_ticks(y, height))
    return axes


def slices_by_head(values):
    """Return (H, …, h, w) as (slices, H, h, w): a slice per place on the axes between H and h."""
    return values.reshape(len(values), -1, *values.shape[-2:]).swapaxes(0, 1)


def _ticks(first, count):
    return sorted({first, max(first, 0), first + count - 1})


def _boxes(figure, place, shape):
    """Return boxes[line][column] for maps, as large as `place` allows.

    shape: (lines, columns, h, w). The columns are spread over the width.
    """
    lines, columns, height, width = shape
    left, bottom, across, up = place
    slant = height / width * figure.get_figwidth() / figure.get_figheight()
    widest, highest = (part / (n + GAP * (n - 1)) for part, n in ((across, columns), (up, lines)))
    wide, high = min(widest, highest / slant), min(highest, widest * slant)
    step_x, step_y = widest * (1 + GAP), high * (1 + GAP)
    return [
        [(left + c * step_x, bottom + up - high - n * step_y, wide, high) for c in range(columns)]
        for n in range(lines)
    ]
