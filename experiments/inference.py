"""Classify new images with the network of a run or of an exported folder, without its training data."""

from pathlib import Path

import numpy as np

from . import runs
from .build import import_twin
from .data.folder import read_images
from .data.pixels import View
from .data.summary import Summary

EXPORTED = "config.json"  # is in a folder that `experiments.export` wrote, and in no run


def load_model(folder, backend=None, which="best"):
    """Load the network of a run or of an exported folder: a model that classifies images.

    backend: "numpy" or "torch", by default the twin that trained the run, or NumPy's.
    which: "best" or "last", the checkpoint of a run.
    Raises FileNotFoundError or ValueError naming the file that is missing or damaged.
    """
    if is_exported(folder):
        if which != "best":
            raise ValueError(f"which is {which!r}, but {folder} is an exported model, not a run")
        _check_origin(folder)
        return import_twin(backend or "numpy").from_pretrained(folder)
    run = runs.open_run(folder)
    return described(runs.load(run, backend, which).model, run)


def _check_origin(folder):
    """Raise ValueError for the folder of a model of timm or transformers."""
    from .convert.reading import read_object  # imports a twin, which workers of a run must not

    path = Path(folder) / EXPORTED
    if "format" not in read_object(path):
        raise ValueError(
            f"{path} is of another library; python -m experiments.convert {folder} OUT --to here "
            "makes a model for here"
        )


def load_trainer(folder, backend=None, which="best"):
    """Load an exported folder into a trainer of the twin, on the best device, to evaluate it."""
    model = load_model(folder, backend, which)
    _check_preprocessing(model)
    trainer = import_twin(backend or "numpy").Trainer
    return trainer(model, lr=1.0, total_steps=1, device="auto")  # no step is made


def is_exported(folder):
    """Return whether the folder is one that `experiments.export` or `save_pretrained` wrote."""
    return (Path(folder) / EXPORTED).is_file()


def described(model, run):
    """Return the model, told what the run knows of its images: sizes, mean, std, resizing, classes."""
    summary, data = run.data, run.config.data
    chans, *size = summary.image_shape
    moments = {"mean": summary.mean.tolist(), "std": summary.std.tolist()}
    model.preprocessing = {"image_size": size, "in_chans": chans, **moments}
    if data.crop_pct is not None:
        model.preprocessing["crop_pct"] = data.crop_pct
    if data.interpolation != "bilinear":
        model.preprocessing["interpolation"] = data.interpolation
    model.classes = list(summary.classes)
    return model


def summary_of(model):
    """Return what a run's Summary tells of its data, of a model that has `preprocessing`.

    Classes without names are called by their numbers.
    """
    about, count = model.preprocessing, model.arguments["num_classes"]
    classes = tuple(model.classes or map(str, range(count)))
    moments = (np.array(about[name], np.float32) for name in ("mean", "std"))
    return Summary("given", classes, (about["in_chans"], *about["image_size"]), *moments, counts={})


def resizing_of(model):
    """Return {"crop_pct", "interpolation"} of a model's `preprocessing`, as far as it has them."""
    return {n: model.preprocessing[n] for n in ("crop_pct", "interpolation") if n in model.preprocessing}


def read(paths, model):
    """Read image files as `model.classify` takes them: resized to its size, as its preprocessing says.

    The result is (N, h, w, C) float32 in [0, 1]. Raises FileNotFoundError or ValueError naming the file.
    """
    _check_preprocessing(model)
    about = model.preprocessing
    view = View(about["in_chans"], tuple(about["image_size"]), **resizing_of(model))
    return read_images([Path(path) for path in paths], view).transpose(0, 2, 3, 1)


def _check_preprocessing(model):
    if model.preprocessing is None:
        raise ValueError(
            "preprocessing is None, expected {'mean': [...], 'std': [...]}: set model.preprocessing, "
            "then save_pretrained writes it to a new folder"
        )
