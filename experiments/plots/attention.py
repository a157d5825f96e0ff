"""Attention maps of a layer, drawn over their images."""

import numpy as np
from matplotlib.colors import ListedColormap

from .panels import frame_cell
from .style import new_figure, styled

# Orange whose opacity grows with the attention, so that the image shows where there is none; pale where
# there can be none.
ORANGE = ListedColormap(np.linspace((1.0, 0.45, 0.0, 0.0), (1.0, 0.45, 0.0, 0.9), 256), "attention")
ORANGE = ORANGE.with_extremes(bad=(1.0, 1.0, 1.0, 0.6))
COLOURS_NOTE = "full orange: the largest of each panel"
WINDOW_NOTE = "mean over the heads; full orange: the largest; pale: outside"


@styled
def attention_over_images(images, maps, grid, num_prefix_tokens=0, queries=None, title=None):
    """Draw the attention maps of one layer over the images, a line per image.

    images: (N, C, H, W) in [0, 1]. maps: (N, heads, L, L).
    queries: None for a column per head, which shows the class token's attention or, without a class
        token, the mean over all queries; or a list of patches (row-major) for a column per patch, which
        shows its attention, the mean over the heads, with a frame around it.
    The colours of each panel end at its own largest value.
    """
    seen, names = _views(np.asarray(maps), grid, num_prefix_tokens, queries)
    pixels = tuple(length / count for length, count in zip(images.shape[2:], grid, strict=True))
    title = title or _title(num_prefix_tokens, queries)
    return _draw(images, seen, names, pixels, queries, title)


@styled
def window_attention_over_images(images, seen, pixels, queries, title=None):
    """Draw what some tokens of a map attend to over the images, a line per image, a column per token.

    images: (N, C, H, W) in [0, 1].
    seen: (N, queries, h, w), NaN where a query cannot attend, which is drawn pale.
    pixels: height and width of a token in pixels; a map larger than the image is cut.
    queries: the tokens (row-major), each with a frame around it.
    The colours of each panel end at its own largest value.
    """
    title = title or f"What a token (framed) attends to in its window\n({WINDOW_NOTE})"
    return _draw(images, seen, [f"token {query}" for query in queries], pixels, queries, title)


def _draw(images, seen, names, pixels, queries, title):
    rows, columns = len(images), 1 + seen.shape[1]
    height = 1.4 * rows * min(images.shape[2] / images.shape[3], 2)
    figure = new_figure(max(1.4 * columns, 6), height + 1, title)
    axes = figure.subplots(rows, columns, squeeze=False)
    grid = seen.shape[2:]
    for line, image, views in zip(axes, images, seen, strict=True):
        _show(line[0], image, pixels)
        for column, (ax, view) in enumerate(zip(line[1:], views, strict=True)):
            _show(ax, image, pixels)
            limits = ax.axis()
            ax.imshow(view, cmap=ORANGE, vmin=0, extent=_extent(grid), aspect=ax.get_aspect())
            ax.axis(limits)
            if queries is not None:
                frame_cell(ax, *np.unravel_index(queries[column], grid))
    for ax, name in zip(axes[0], ["image", *names], strict=True):
        ax.set_title(name)
    return figure


def _views(maps, grid, num_prefix_tokens, queries):
    """Return (views (N, columns, h, w), their names)."""
    patches = maps[..., num_prefix_tokens:]
    if queries is not None:
        seen = patches[:, :, [num_prefix_tokens + query for query in queries]].mean(1)
        names = [f"patch {query}" for query in queries]
    else:
        seen = patches[:, :, 0] if num_prefix_tokens else patches.mean(2)
        names = [f"head {head}" for head in range(maps.shape[1])]
    return seen.reshape(*seen.shape[:2], *grid), names


def _title(num_prefix_tokens, queries):
    if queries is not None:
        what = "What a patch (framed) attends to, mean over the heads"
    elif num_prefix_tokens:
        what = "What the class token attends to"
    else:
        what = "How much attention a patch gets, mean over queries"
    return f"{what}\n({COLOURS_NOTE})"


def _extent(size):
    """Return an extent in which token (y, x) covers the unit square around (x, y); size: in tokens."""
    return (-0.5, size[1] - 0.5, size[0] - 0.5, -0.5)


def _show(ax, image, pixels):
    shown = np.moveaxis(image, 0, -1)
    shown = shown[..., 0] if len(image) == 1 else shown
    size = image.shape[1] / pixels[0], image.shape[2] / pixels[1]
    ax.imshow(np.clip(shown, 0, 1), cmap="gray", vmin=0, vmax=1, extent=_extent(size))
    ax.set_aspect(pixels[0] / pixels[1])
    ax.set_axis_off()
