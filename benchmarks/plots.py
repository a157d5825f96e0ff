"""The pictures of a run: bars of ratios, time over batch and length, memory over length."""

import numpy as np
from matplotlib.ticker import LogFormatter, NullLocator

from experiments.plots.style import head_colours, new_figure, styled

from .contestants import ATTENTION
from .entry import BOTH

COLOURS = dict(zip(ATTENTION, head_colours(len(ATTENTION)), strict=True))


def pictures(result):
    """Return {file: (what it shows, Figure)} of every picture that the result has data for."""
    drawn = {}
    races = [race for race in result.of_suite("attention") if race.part == BOTH]
    if any(race.fastest_torch for race in races):
        what = "Time of attention, forward and backward, over that of the fastest torch contestant"
        drawn["ratios.png"] = (what, ratios(races, what))
    for suite, label in (("length", "tokens L"), ("batch", "windows B")):
        grown = result.of_suite(suite)
        if len(grown) > 1:
            size = "tokens" if suite == "length" else "batch"
            what = f"Time of attention, forward and backward, over the {suite}"
            points = [(race.sizes[size], _milliseconds(race)) for race in grown]
            drawn[f"{suite}.png"] = (what, curves(points, label, "ms", what))
    memories = [m for m in result.memories if m.kind == "attention" and m.own]
    if memories:
        what = "Peak memory of attention, forward and backward, beyond its inputs"
        drawn["memory.png"] = (what, curves(_points(memories), "tokens L", "MiB", what))
    return drawn


@styled
def ratios(races, title):
    """Draw a group of bars per race; the dashed line is the fastest torch contestant."""
    names = [name for name in COLOURS if any(name in race.lines for race in races)]
    width = 0.85 / len(names)
    figure = new_figure(11, 4.2, title)
    ax = figure.subplots()
    for place, name in enumerate(names):
        there = [n for n, race in enumerate(races) if name in race.lines]
        found = [races[n].ratio(name, races[n].fastest_torch) for n in there]
        middle = np.array([ratio.median for ratio in found])
        spread = [middle - [r.low for r in found], [r.high for r in found] - middle]
        ax.bar(
            np.array(there) + (place - (len(names) - 1) / 2) * width,
            middle,
            width,
            yerr=np.abs(spread),
            color=COLOURS[name],
            error_kw={"linewidth": 0.8},
            label=name,
        )
    ax.axhline(1, color="0.35", linestyle="--", linewidth=1)
    ax.set_xticks(range(len(races)), [race.work.replace(", ", "\n") for race in races])
    ax.set(ylabel="time / fastest torch")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


@styled
def curves(points, xlabel, ylabel, title):
    """Draw a line per contestant, both axes logarithmic; points: [(x, {contestant: y})]."""
    figure = new_figure(7, 4.2, title)
    ax = figure.subplots()
    for name, colour in COLOURS.items():
        own = [(x, values[name]) for x, values in points if name in values]
        if own:
            ax.loglog(*zip(*own, strict=True), marker="o", markersize=4, color=colour, label=name)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    sizes = sorted({x for x, _ in points})
    ax.set_xticks(sizes, map(str, sizes))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(LogFormatter())
    ax.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1, 0.4)))
    ax.grid(color="0.9", linewidth=0.8)
    ax.legend()
    return figure


def _milliseconds(race):
    return {name: 1e3 * race.time(name).median for name in race.lines}


def _points(memories):
    tokens = sorted({m.tokens for m in memories})
    return [(n, {m.contestant: m.own for m in memories if m.tokens == n}) for n in tokens]
