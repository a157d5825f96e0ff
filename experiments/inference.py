"""Classify new images with the network of a run, without its training data."""

from pathlib import Path

from . import runs
from .data.folder import read_images
from .data.pixels import View


def load_model(folder, backend=None, which="best"):
    """Load the network of a run: a model of its twin that classifies images and can be saved.

    backend: "numpy" or "torch", by default the twin that trained the run.
    which: "best" or "last", the checkpoint.
    Raises FileNotFoundError or ValueError naming the file that is missing or damaged.
    """
    run = runs.open_run(folder)
    return described(runs.load(run, backend, which).model, run.data)


def described(model, summary):
    """Return the model, told what the Summary of its data knows: sizes, mean, std and classes."""
    chans, *size = summary.image_shape
    moments = {"mean": summary.mean.tolist(), "std": summary.std.tolist()}
    model.preprocessing = {"image_size": size, "in_chans": chans, **moments}
    model.classes = list(summary.classes)
    return model


def read(paths, model, crop_pct=None, interpolation="bilinear"):
    """Read image files, resized to the size that the model takes, as `model.classify` takes them.

    crop_pct, interpolation: those that the run was trained with, see `View`.
    The result is (N, h, w, C) float32 in [0, 1]. Raises FileNotFoundError or ValueError naming the file.
    """
    size = tuple(model.preprocessing["image_size"])
    view = View(model.preprocessing["in_chans"], size, crop_pct, interpolation)
    return read_images([Path(path) for path in paths], view).transpose(0, 2, 3, 1)
