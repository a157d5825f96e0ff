"""The picture of shifted windows: the map, the map after the shift, and attention's mask."""

import matplotlib
import numpy as np

from .style import new_figure, styled

COLOURS = matplotlib.color_sequences["petroff10"]
ATTENDS, MASKED = "white", "0.35"


@styled
def shifted_windows(tokens, regions, mask, window):
    """Return the Figure of a square map of n × n tokens in windows.

    tokens: (n, n) the tokens' numbers in the map after the shift.
    regions: (n, n) which part of the map each token of the shifted map came from, from 0.
    mask: (nW, L, L), 0 where a pair may attend.
    window: tokens along the side of a window.
    """
    size = len(tokens)
    title = "Shifted windows: what moves, and which tokens may attend to which"
    figure = new_figure(11, 7, title, layout="constrained")
    grid = figure.add_gridspec(2, 12, height_ratios=(1.35, 1))
    plain = np.arange(size * size).reshape(size, size)
    before = np.empty_like(regions)
    before.flat[tokens] = regions
    draw_map(
        figure.add_subplot(grid[0, 0:4]),
        plain,
        np.zeros_like(regions),
        window,
        "windows without a shift",
    )
    ax = figure.add_subplot(grid[0, 4:8])
    draw_map(ax, plain, before, window, "the shifted windows on the map", offset=window // 2)
    ax = figure.add_subplot(grid[0, 8:12])
    draw_map(ax, tokens, regions, window, "after the cyclic shift")
    for n, part in enumerate(mask):
        draw_mask(figure.add_subplot(grid[1, 3 * n : 3 * n + 3]), part, n)
    return figure


def draw_map(ax, numbers, regions, window, title, offset=0):
    """Draw numbered tokens, coloured by region, with the borders of the windows."""
    size = len(numbers)
    colours = np.array([matplotlib.colors.to_rgb(c) for c in COLOURS[:4]])
    ax.imshow(0.45 * colours[regions] + 0.55)
    for (row, column), number in np.ndenumerate(numbers):
        ax.text(column, row, number, ha="center", va="center", fontsize=7)
    for place in np.arange(offset, size + 1, window) - 0.5:
        ax.axhline(place, color="black", linewidth=2)
        ax.axvline(place, color="black", linewidth=2)
    ax.set(title=title, xticks=[], yticks=[])


def draw_mask(ax, mask, n):
    """Draw the mask of a window: white where a query may attend to a key, dark where not."""
    colours = matplotlib.colors.ListedColormap([MASKED, ATTENDS])
    ax.imshow(mask == 0, cmap=colours, vmin=0, vmax=1)
    where = ("upper left", "upper right", "lower left", "lower right")[n]
    title = f"mask of the {where} window"
    ax.set(title=title, xlabel="key", ylabel="query", xticks=[], yticks=[])
    ax.spines[:].set_visible(True)
