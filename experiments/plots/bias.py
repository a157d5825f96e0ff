"""Pictures of a bias: over offsets, for one query, before and after training, of several schemes."""

import numpy as np

from .offsets import bias_by_offset, offset_shape, without_level
from .panels import draw_head_lines, draw_offset_map, draw_query_map
from .style import new_figure, notes, panels_for, styled, symmetric_limit

DX, DY = "Δx = query − key", "Δy = query − key"


@styled
def bias_over_offsets(bias, grid, title="Bias of each head over the offset query − key"):
    """Draw bias (H, L, L) over the offset: a map (Δy, Δx) per head, or a line over Δ for a grid (L,)."""
    bias, level_removed = without_level(bias)
    values = bias_by_offset(bias, grid)
    title += notes(bias, level_removed)
    if len(grid) == 1:
        return _lines(values, np.arange(1 - grid[0], grid[0]), "Δ = query − key", title)
    figure = _head_figure(len(bias), offset_shape(grid), title)
    limit = symmetric_limit(values)
    axes = panels_for(figure, len(values))
    images = [draw_offset_map(ax, head, limit) for ax, head in zip(axes, values, strict=True)]
    return _label(figure, axes, images[0], DX, DY)


@styled
def one_query(bias, grid, query, title=None):
    """Draw one row of bias (H, L, L): what `query` (row-major) adds to its score with each key."""
    bias, level_removed = without_level(bias)
    values = bias[:, query].reshape(-1, *grid)
    title = (title or f"What query {query} adds to its score with each key") + notes(
        values, level_removed
    )
    if len(grid) == 1:
        figure = _lines(values, np.arange(grid[0]), "key", title)
        figure.axes[0].axvline(query, color="black", linewidth=1, linestyle="--", label="query")
        figure.axes[0].legend(loc="center left", bbox_to_anchor=(1, 0.5))
        return figure
    figure = _head_figure(len(bias), grid, title)
    limit = symmetric_limit(values)
    axes = panels_for(figure, len(values))
    images = [draw_query_map(ax, head, query, limit) for ax, head in zip(axes, values, strict=True)]
    return _label(figure, axes, images[0], "key x   (frame: the query)", "key y")


@styled
def before_after(
    before, after, grid, title="Bias over the offset query − key, before and after training"
):
    """Draw two biases (H, L, L) on one scale: maps one above the other, or lines side by side."""
    both, level_removed = without_level(np.stack([before, after]))
    values = np.stack([bias_by_offset(bias, grid) for bias in both])
    limit, heads = symmetric_limit(values), len(before)
    title += notes(both, level_removed)
    if len(grid) == 1:
        return _before_after_lines(values, grid, limit, title)
    figure = new_figure(max(1.6 * heads + 1.2, 6), 3.1 * _aspect(offset_shape(grid)) + 1.2, title)
    axes = figure.subplots(2, heads, squeeze=False, sharex=True, sharey=True)
    for ax, head in zip(axes.flat, values.reshape(-1, *values.shape[2:]), strict=True):
        image = draw_offset_map(ax, head, limit)
    for head, ax in enumerate(axes[0]):
        ax.set_title(f"head {head}")
    for ax, when in zip(axes[:, 0], ("before", "after"), strict=True):
        ax.set_ylabel(f"{when}\nΔy", fontsize=11)
    figure.supxlabel(DX, fontsize=10)
    figure.colorbar(image, ax=axes, label="bias", shrink=0.8, aspect=25)
    return figure


@styled
def compare_schemes(biases, grid, title="Bias over the offset query − key, scheme by scheme"):
    """Draw biases {name: (H, L, L)} on a grid (h, w): a column with its own scale per scheme."""
    heads = max(len(bias) for bias in biases.values())
    figure = new_figure(1.75 * len(biases) + 0.6, 1.62 * heads + 1.9, title)
    axes = figure.subplots(heads, len(biases), squeeze=False)
    for column, (name, bias) in zip(axes.T, biases.items(), strict=True):
        bias, level_removed = without_level(bias)
        values = bias_by_offset(bias, grid)
        limit = symmetric_limit(values)
        for ax, head in zip(column, values, strict=True):
            image = draw_offset_map(ax, head, limit)
            ax.label_outer()
        column[0].set_title(f"{name}", fontsize=12, fontweight="bold")
        label = "bias − mean" if level_removed else "bias"
        figure.colorbar(image, ax=column[-1], location="bottom", label=label, aspect=12, pad=0.04)
    for head, ax in enumerate(axes[:, 0]):
        ax.set_ylabel(f"head {head}\nΔy")
    for ax in axes[-1]:
        ax.set_xlabel("Δx")
    return figure


def _lines(values, positions, label, title):
    figure = new_figure(6.5, 3.6, title)
    ax = figure.subplots()
    draw_head_lines(ax, positions, values)
    ax.set_xlabel(label)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _before_after_lines(values, grid, limit, title):
    figure = new_figure(8, 3.4, title)
    axes = figure.subplots(1, 2, sharey=True)
    for ax, lines, when in zip(axes, values, ("before", "after"), strict=True):
        draw_head_lines(ax, np.arange(1 - grid[0], grid[0]), lines)
        ax.set(title=when, xlabel="Δ = query − key", ylim=(-1.1 * limit, 1.1 * limit))
    axes[1].set_ylabel("")
    axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _aspect(shape):
    """Return height / width of a panel, limited to [0.3, 2] so that it fits a page."""
    return float(np.clip(shape[0] / shape[1], 0.3, 2))


def _head_figure(heads, shape, title):
    columns, rows = min(heads, 4), -(-heads // 4)
    width = max(1.75 * columns + 1.2, 6)
    return new_figure(width, rows * (1.6 * _aspect(shape) + 0.42) + 0.85, title)


def _label(figure, axes, image, xlabel, ylabel):
    for head, ax in enumerate(axes):
        ax.set_title(f"head {head}")
    figure.supxlabel(xlabel, fontsize=10)
    figure.supylabel(ylabel, fontsize=10)
    figure.colorbar(image, ax=list(axes), label="bias", aspect=20)
    return figure
