"""Where the tokens lie that a block attends on: its map, its windows and their shift."""

from typing import NamedTuple

import numpy as np


class TokenMap(NamedTuple):
    """The map of tokens (h, w) of a block, each entry (vertical, horizontal).

    pixels: of a token's side; the last tokens of a map can reach beyond the image.
    window, shift: in tokens; without windows, as in a vit, the window is the map.
    num_prefix_tokens: before those of the map.
    """

    size: tuple[int, int]
    pixels: tuple[int, int]
    has_windows: bool
    window: tuple[int, int]
    shift: tuple[int, int] = (0, 0)
    num_prefix_tokens: int = 0


def token_maps(model):
    """Return the TokenMap of each block of a model of either twin."""
    size, pixels = tuple(model.patch_embed.grid_size), tuple(model.patch_embed.patch_size)
    if hasattr(model, "blocks"):
        return [TokenMap(size, pixels, False, size, (0, 0), model.num_prefix_tokens)] * len(model.blocks)
    found = []
    for stage, layer in enumerate(model.layers):
        if stage:
            size, pixels = tuple(-(-n // 2) for n in size), tuple(2 * n for n in pixels)
        found += [TokenMap(size, pixels, True, b.window_size, b.shift_size) for b in layer.blocks]
    return found


def attention_of_queries(maps, token_map, queries):
    """Return what some tokens attend to, the mean over the heads, on the map: (N, queries, h, w).

    It is NaN where a query cannot attend: outside its window, and where only the shift brought two
    tokens into one window.

    maps: (N·nW, heads, L, L), windows and tokens in the order of `window_partition_forward`.
    queries: places in the map, row-major.
    """
    size, window, shift = token_map.size, token_map.window, token_map.shift
    counts = [-(-length // of_window) for length, of_window in zip(size, window, strict=True)]
    rows, columns = map(_along_axis, size, window, shift)
    windows = _joined(rows.window, columns.window, counts[1])
    places = _joined(rows.place, columns.place, window[1])
    carried = _joined(rows.carried, columns.carried, 2)
    maps = np.asarray(maps).mean(1)
    maps = maps.reshape(-1, counts[0] * counts[1], *maps.shape[1:])
    seen = np.full((len(maps), len(queries), len(places)), np.nan)
    for n, query in enumerate(queries):
        reached = (windows == windows[query]) & (carried == carried[query])
        seen[:, n, reached] = maps[:, windows[query], places[query], places[reached]]
    return seen.reshape(*seen.shape[:2], *size)


class _Axis(NamedTuple):
    """Of each row: its window, its place in the window, and whether the shift carried it to the end."""

    window: np.ndarray
    place: np.ndarray
    carried: np.ndarray


def _along_axis(length, window, shift):
    padded = -(-length // window) * window
    shift = shift if padded > window else 0
    moved = (np.arange(length) - shift) % padded
    return _Axis(moved // window, moved % window, np.arange(length) < shift)


def _joined(rows, columns, count):
    """Return row · count + column of each token of the map, row-major."""
    return (rows[:, None] * count + columns).reshape(-1)
