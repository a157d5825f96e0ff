"""Draw the pictures of a trained model into a folder."""

import io
from pathlib import Path

import numpy as np

from . import plots
from .distributed.evaluation import evaluated
from .files import write_whole
from .token_maps import attention_of_queries, token_maps


def save_pictures(folder, trainer, dataset, metrics, split="test", layer=-1, num_images=5) -> list[Path]:
    """Draw what a run learned and return the paths of the files.

    Writes confusion.png and attention.png (unless dataset is None), curves.png (unless metrics is
    empty) and, for a relative position bias that does not depend on the query, one_query.png and a
    bias_<layer>.png per layer.

    trainer: a Trainer of either twin.
    metrics: the rows that `plots.training_curves` takes.
    layer: the layer shown in one_query.png and attention.png.
    num_images: attention.png has the first image in `split` of each of so many classes.
    """
    folder, part = Path(folder), getattr(dataset, split, None)
    folder.mkdir(parents=True, exist_ok=True)
    figures = {}
    if part:
        predictions = evaluated(trainer, part).predicted
        figures["confusion"] = plots.confusion_matrix(part.labels, predictions, dataset.classes)
    if metrics:
        figures["curves"] = plots.training_curves(metrics)
    figures |= _bias_figures(trainer.model, layer)
    if part:
        figures["attention"] = _attention_figure(trainer, dataset, part, layer, num_images)
    return [write_picture(figure, folder / f"{name}.png") for name, figure in figures.items()]


def write_picture(figure, path) -> Path:
    """Write a figure as PNG, whole or not at all, and return its path."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", pil_kwargs={"optimize": True})
    write_whole(path, buffer.getvalue())
    return Path(path)


def patch_bias(scheme, num_prefix_tokens) -> np.ndarray:
    """Return a scheme's dense bias (H, L, L) without prefix tokens, as a NumPy array for either twin."""
    bias = scheme()
    if hasattr(bias, "detach"):
        bias = bias.detach().cpu()
    return np.asarray(bias)[:, num_prefix_tokens:, num_prefix_tokens:]


def _bias_figures(model, layer):
    # A bias that all layers share is the only one, whatever `layer` is.
    biases = {
        name: (patch_bias(scheme, token_map.num_prefix_tokens), token_map.window)
        for (name, scheme), token_map in zip(
            model.rel_pos_biases().items(), token_maps(model), strict=False
        )
        if not scheme.looks_at_query  # else there is a bias for each image, not one to be drawn
    }
    figures = {}
    for name, (bias, window) in biases.items():
        label = name.removesuffix(".attn.rel_pos")
        title = f"{label}: bias of each head over query − key"
        figures[f"bias_{label.replace('.', '_')}"] = plots.bias_over_offsets(bias, window, title)
    if biases:
        bias, window = list(biases.values())[layer if len(biases) > 1 else 0]
        figures["one_query"] = plots.one_query(bias, window, _middle(window))
    return figures


def _attention_figure(trainer, dataset, part, layer, num_images):
    first = np.sort(np.unique(part.labels, return_index=True)[1])[:num_images]
    standardised = part.at(first)
    images = standardised * dataset.std[:, None, None] + dataset.mean[:, None, None]
    maps = np.asarray(trainer.attention_maps(standardised)[layer])
    token_map = token_maps(trainer.model)[layer]
    size, prefix = token_map.size, token_map.num_prefix_tokens
    queries = None if prefix else _some_tokens(size)
    if token_map.has_windows:
        seen = attention_of_queries(maps, token_map, queries)
        return plots.window_attention_over_images(images, seen, token_map.pixels, queries)
    return plots.attention_over_images(images, maps, size, prefix, queries)


def _middle(grid):
    return int(np.ravel_multi_index([size // 2 for size in grid], grid))


def _some_tokens(grid):
    """Return four tokens of a map: a corner, the middle and two others."""
    height, width = grid
    places = [(0, 0), (height // 2, width // 4), (height // 2, width // 2), (height // 4, width - 1)]
    return sorted({int(np.ravel_multi_index(place, grid)) for place in places})
