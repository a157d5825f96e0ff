"""What all pictures share: the style context, colours and their limits, rows of panels."""

import functools
import math

import matplotlib
import numpy as np
from matplotlib.figure import Figure

STYLE = {
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.labelsize": 10,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "figure.titlesize": 13,
    "figure.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "image.interpolation": "nearest",
    "lines.linewidth": 1.8,
}
DIVERGING = matplotlib.colormaps["RdBu_r"].with_extremes(bad="0.78")
SEQUENTIAL = "viridis"
LIGHT_TO_DARK = "magma_r"
MASKED_NOTE = "grey: masked (−∞)"
LEVEL_NOTE = "each head minus its mean"
DPI = 150


def styled(draw):
    """Wrap `draw`: call it and lay the figure out in the style, which ticks read only at layout."""

    @functools.wraps(draw)
    def drawn(*args, **kwargs):
        with matplotlib.rc_context(STYLE):
            figure = draw(*args, **kwargs)
            figure.draw_without_rendering()
            figure.set_layout_engine("none")  # the layout is done; do not repeat it when saving
        return figure

    return drawn


def new_figure(width, height, title=None, layout="compressed", dpi=DPI):
    """Return a Figure, in inches, that pyplot does not know; subfigures need layout "constrained"."""
    figure = Figure((width, height), dpi=dpi, layout=layout)
    if title:
        figure.suptitle(title)
    return figure


def symmetric_limit(*arrays):
    """Return the largest finite |value| of all arrays (1 if it is 0), to centre colours at zero."""
    largest = max(np.max(np.abs(a), where=np.isfinite(a), initial=0.0) for a in arrays)
    return float(largest) or 1.0


def panels_for(figure, count, most=4):
    """Return the axes of `count` panels, in rows of at most `most`."""
    columns = min(count, most)
    axes = figure.subplots(math.ceil(count / columns), columns, squeeze=False, sharey=True)
    for ax in axes.flat[count:]:
        ax.remove()
    return axes.flat[:count]


def head_colours(num_heads):
    """Return one colour per head; for more than ten heads, shades of the sequential map."""
    if num_heads <= 10:
        return matplotlib.color_sequences["petroff10"][:num_heads]
    return matplotlib.colormaps[SEQUENTIAL](np.linspace(0, 0.92, num_heads))


def notes(bias, level_removed):
    """Return the end of a title that explains the colours, or an empty string."""
    masked = np.isneginf(bias).any()
    found = [note for note, there in ((LEVEL_NOTE, level_removed), (MASKED_NOTE, masked)) if there]
    return f"\n({'; '.join(found)})" if found else ""
