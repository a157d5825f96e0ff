"""The picture of the study of image sizes: accuracies before and after more training."""

import numpy as np
from matplotlib.lines import Line2D

from .style import new_figure, styled

BEFORE, AFTER, OWN = "#d1582a", "#3b6fa0", "0.35"


@styled
def resize_study(rows, title=None):
    """Draw a panel per size and a line per scheme and method.

    rows: [(scheme, method, {size: {"own", "before", "after": accuracies of the seeds}})].
    """
    sizes = list(rows[0][2])
    figure = new_figure(10, 1.5 + 0.25 * len(rows), title)
    panels = figure.subplots(1, len(sizes), sharex=True, sharey=True, squeeze=False)[0]
    for ax, size in zip(panels, sizes, strict=True):
        for place, (_, _, at) in enumerate(rows):
            own = 100 * np.mean(at[size]["own"])
            ax.plot([own, own], [place - 0.35, place + 0.35], color=OWN, linewidth=1.5)
            _draw_seeds(ax, place, at[size]["before"], BEFORE, "white")
            _draw_seeds(ax, place, at[size]["after"], AFTER, AFTER)
        _separate_schemes(ax, rows)
        ax.set(title=f"{size}×{size} pixels: test accuracy (%)")
        ax.grid(axis="x", color="0.9", linewidth=0.8)
        ax.set_axisbelow(True)
    panels[0].set_yticks(range(len(rows)), [f"{name}  {method}" for name, method, _ in rows])
    panels[0].set_ylim(len(rows) - 0.4, -0.6)
    figure.legend(handles=_handles(), loc="outside lower center", ncols=3)
    return figure


def _draw_seeds(ax, place, accuracies, colour, filled):
    """Draw a line from the worst to the best seed and a dot per seed."""
    values = 100 * np.array(accuracies)
    ax.plot([values.min(), values.max()], [place, place], color=colour, linewidth=1.2)
    ax.plot(
        values, np.full(len(values), place), "o", color=colour, markersize=4.5, markerfacecolor=filled
    )


def _separate_schemes(ax, rows):
    names = [name for name, _, _ in rows]
    for place in range(1, len(names)):
        if names[place] != names[place - 1]:
            ax.axhline(place - 0.5, color="0.85", linewidth=0.8)


def _handles():
    dot = {"linestyle": "none", "marker": "o", "markersize": 4.5}
    return [
        Line2D([], [], color=BEFORE, markerfacecolor="white", label="as it is", **dot),
        Line2D([], [], color=AFTER, label="after more training", **dot),
        Line2D([], [], color=OWN, marker="|", markersize=10, linestyle="none", label="mean at 8×8"),
    ]
