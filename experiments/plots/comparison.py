"""The picture of a comparison of schemes: the accuracy of every run, parameters and time."""

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator

from .style import new_figure, styled

COLOURS = {"baseline": "0.35", "reads the grid as a line": "#d1582a", "knows both axes": "#3b6fa0"}
TICKS = [0, 20, 40, 60, 70, 80, 90, 95, 97, 98, 99, 100]


@styled
def comparison(rows, title=None):
    """Draw the rows of a comparison; rows: [(name, row of results.json)], the first at the top."""
    places = np.arange(len(rows))
    figure = new_figure(10, 1.6 + 0.27 * len(rows), title)
    accuracy, parameters, time = figure.subplots(1, 3, sharey=True, width_ratios=[4, 1.3, 1.3])
    _draw_accuracies(accuracy, rows)
    colours = [COLOURS[row["sees"]] for _, row in rows]
    parameters.barh(places, [row["position_parameters"] for _, row in rows], color=colours, height=0.6)
    parameters.set_xscale("symlog", linthresh=10)
    parameters.set(title="position parameters")
    time.barh(places, [row["milliseconds_per_step"] for _, row in rows], color=colours, height=0.6)
    time.set(title="ms per step")
    for ax in (parameters, time):
        ax.tick_params(left=False)
    accuracy.set_yticks(places, [name for name, _ in rows])
    accuracy.set_ylim(len(rows) - 0.4, -0.6)
    for ax in (accuracy, parameters, time):
        ax.grid(axis="x", color="0.9", linewidth=0.8)
        ax.set_axisbelow(True)
    _add_legend(figure, rows)
    return figure


def _draw_accuracies(ax, rows):
    """Draw a line from the worst to the best run, a dot per run, a stroke at the mean."""
    for place, (_, row) in enumerate(rows):
        runs = [100 * run["test_accuracy"] for run in row["seeds"].values()]
        colour = COLOURS[row["sees"]]
        ax.plot([min(runs), max(runs)], [place, place], color=colour, linewidth=1.2)
        filled = "white" if row["looks_at_query"] else colour
        ax.plot(runs, [place] * len(runs), "o", color=colour, markersize=4.5, markerfacecolor=filled)
        ax.plot(np.mean(runs), place, "|", color=colour, markersize=13, markeredgewidth=2)
    # Most rows are within a few points of 100, where a linear scale would not separate them.
    ax.set_xscale("function", functions=(lambda x: -np.log(101 - x), lambda y: 101 - np.exp(-y)))
    ax.xaxis.set_major_locator(FixedLocator(TICKS))
    ax.set(title="test accuracy (%, wider towards 100): each run, and the mean")


def _add_legend(figure, rows):
    there = {row["sees"] for _, row in rows}
    handles = [
        Line2D([], [], color=colour, marker="o", markersize=4.5, label=label)
        for label, colour in COLOURS.items()
        if label in there
    ]
    hollow = {
        "color": "0.35",
        "marker": "o",
        "markersize": 4.5,
        "markerfacecolor": "white",
        "linestyle": "none",
    }
    handles.append(Line2D([], [], label="looks at the query", **hollow))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
