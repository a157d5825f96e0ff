"""What all pictures share: the style context, colours and their limits, a row of panels."""

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
    """Call `draw` and lay its figure out within the style: ticks read it when they are first needed."""

    @functools.wraps(draw)
    def drawn(*args, **kwargs):
        with matplotlib.rc_context(STYLE):
            figure = draw(*args, **kwargs)
            figure.draw_without_rendering()
            figure.set_layout_engine("none")  # done; saving need not do it again
        return figure

    return drawn


def new_figure(width, height, title=None, layout="compressed", dpi=DPI):
    """A Figure of its own, in inches, unknown to pyplot; subfigures need the layout "constrained"."""
    figure = Figure((width, height), dpi=dpi, layout=layout)
    if title:
        figure.suptitle(title)
    return figure


def symmetric_limit(*arrays):
    """The largest finite |value| of all arrays: colours from −limit to limit are centred at zero."""
    largest = max(np.max(np.abs(a), where=np.isfinite(a), initial=0.0) for a in arrays)
    return float(largest) or 1.0


def panels_for(figure, count, most=4):
    """(axes of `count` panels, all others removed): rows of at most `most`."""
    columns = min(count, most)
    axes = figure.subplots(math.ceil(count / columns), columns, squeeze=False, sharey=True)
    for ax in axes.flat[count:]:
        ax.remove()
    return axes.flat[:count]


def head_colours(num_heads):
    """One colour per head; beyond ten, shades of the sequential map."""
    if num_heads <= 10:
        return matplotlib.color_sequences["petroff10"][:num_heads]
    return matplotlib.colormaps[SEQUENTIAL](np.linspace(0, 0.92, num_heads))


def notes(bias, level_removed):
    """What a reader has to know about the colours, as the end of a title."""
    masked = np.isneginf(bias).any()
    found = [note for note, there in ((LEVEL_NOTE, level_removed), (MASKED_NOTE, masked)) if there]
    return f"\n({'; '.join(found)})" if found else ""
