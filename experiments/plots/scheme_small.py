"""Small pictures of schemes: a thumbnail of one, and an overview of all."""

from .scheme_maps import draw_by_offset
from .style import new_figure, styled, symmetric_limit

SIDE = 0.8  # inches
CELL, COLUMNS = (1.75, 1.85), 6


@styled
def scheme_thumbnail(view):
    """Draw a SchemeView's bias as lines or maps of the heads, without any text."""
    figure = new_figure(SIDE, SIDE, layout="none")
    draw_by_offset(figure, (0.02, 0.02, 0.96, 0.96), view, symmetric_limit(view.bias), bare=True)
    return figure


@styled
def scheme_overview(views, title, note):
    """Draw a list of SchemeViews, each with its own scale, symmetric around zero."""
    lines = -(-len(views) // COLUMNS)
    width, height = COLUMNS * CELL[0] + 0.2, lines * CELL[1] + 1.3
    figure = new_figure(width, height, layout="none")
    figure.text(0.5, 1 - 0.4 / height, title, ha="center", fontsize=15, fontweight="bold")
    figure.text(0.5, 1 - 0.58 / height, note, ha="center", va="top", fontsize=10, color="0.3")
    for number, view in enumerate(views):
        line, column = divmod(number, COLUMNS)
        left, top = 0.2 + column * CELL[0], 1.5 + line * CELL[1]
        middle = (left + 0.75) / width
        figure.text(middle, 1 - (top - 0.08) / height, view.name, ha="center", fontsize=11)
        place = (left / width, 1 - (top + 1.5) / height, 1.5 / width, 1.5 / height)
        draw_by_offset(figure, place, view, symmetric_limit(view.bias), bare=True)
    return figure
