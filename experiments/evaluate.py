"""Evaluate a run or the folder of a model: loss, accuracy, and accuracy per class."""

import json
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from tqdm import tqdm

from . import runs
from .cli import MISTAKES, add_split, command, fail, loaded_run, parse, parser_of_a_run, use_threads
from .data import labelled_split
from .data.folder import some, subfolders
from .data.pixels import UnreadableImageError
from .distributed import ALONE
from .distributed.evaluation import evaluated
from .files import write_whole
from .inference import is_exported, load_trainer, resizing_of, summary_of

WORKERS = 4  # processes that read the images for a model without a run, if they are many
GIVEN = "given"  # the name of the split when the images come from --root


@command
def main(argv=None):
    parser = parser_of_a_run(
        "experiments.evaluate",
        __doc__,
        folder="folder of a run, or one that experiments.export or experiments.convert wrote",
        otherwise="the one that trained the run, or numpy",
    )
    add_split(parser)
    parser.add_argument(
        "--root",
        type=str | None,
        help="folder of other images with one subfolder per class, used instead of the run's own data",
    )
    parser.add_argument(
        "--in-order",
        action="store_true",
        help="take the subfolders of --root, sorted by name, as the classes 0, 1, … (as ImageNet's)",
    )
    options = parse(parser, argv)
    try:
        of_folder = _of_model if is_exported(options.folder) else _of_run
        classes, split, trainer, name = of_folder(options)
    except MISTAKES as error:
        fail(parser.prog, error)
    try:
        result = report(options.folder, classes, split, trainer, name, progress=_bar(split))
    except UnreadableImageError as error:
        fail(parser.prog, error)
    print(f"loss {result['loss']:.4f} on {result['count']} images")
    for label, accuracy in result["class_accuracy"].items():
        if accuracy is not None:
            print(f"  {label:<24} {accuracy:.4f}")
    if absent := [label for label, accuracy in result["class_accuracy"].items() if accuracy is None]:
        print(f"no images of {some(absent)}")
    print(f"{name}_accuracy={result['accuracy']:.4f} run={options.folder}")
    return 0


def _of_run(options):
    """Return (classes, split, trainer, name of the split) of a run, from its data or from --root."""
    run, trainer = loaded_run(options)
    if options.root is not None:
        data = run.config.data
        look = {"crop_pct": data.crop_pct, "interpolation": data.interpolation}
        return *_of_root(options, run.data, data.workers, look), trainer, GIVEN
    if options.in_order:
        raise ValueError("--in-order is about the subfolders of --root, which is not given")
    try:
        split = getattr(runs.dataset_of(run), options.split)
    except MISTAKES as error:
        raise ValueError(f"{error}; --root takes a folder of other images") from error
    return run.data.classes, split, trainer, options.split


def _of_model(options):
    """Return the same of a model's folder, which has no data: the images are those of --root."""
    if options.root is None:
        raise ValueError(f"{options.folder} is a model without data: --root takes a folder of images")
    use_threads(options.backend or "numpy")
    trainer = load_trainer(options.folder, options.backend, options.checkpoint)
    summary, look = summary_of(trainer.model), resizing_of(trainer.model)
    return *_of_root(options, summary, WORKERS, look), trainer, GIVEN


def _of_root(options, summary, workers, look):
    """Return the names of the classes and the images of --root."""
    if options.in_order:
        names = tuple(subfolders(options.root))
        _check_order(options.root, names, summary.classes)
        summary = replace(summary, classes=names)
    return summary.classes, labelled_split(options.root, summary, workers, **look)


def _check_order(root, names, classes):
    """Raise ValueError for subfolders, sorted by name, that cannot be the classes 0, 1, … so."""
    if len(names) != len(classes):
        raise ValueError(f"{root} has {len(names)} subfolders, the model {len(classes)} classes")
    if names != classes and set(names) == set(classes):
        raise ValueError(f"{root} has the classes of the model by name: leave out --in-order")
    if all(name.isdecimal() for name in names):
        for one, other in pairwise(names):
            if int(one) > int(other):
                raise ValueError(
                    f"{root}: sorted by name the subfolder {one} comes before {other}; "
                    "write all numbers with the same number of digits"
                )


def _bar(split):
    """Return what draws a bar of the images on a terminal while their chunks are evaluated."""

    def progress(chunks):
        with tqdm(total=len(split.labels), unit="image", leave=False, disable=None) as bar:
            for images, labels in chunks:
                yield images, labels
                bar.update(len(labels))

    return progress


def report(folder, classes, split, trainer, name, processes=ALONE, progress=iter):
    """Evaluate a Split, write evaluation_<name>.json and return its content; progress: `evaluated`'s."""
    loss, correct, predicted = evaluated(trainer, split, processes, progress)
    labels, right = split.labels, predicted == split.labels
    confusion = np.bincount(labels * len(classes) + predicted, minlength=len(classes) ** 2)
    result = {
        "split": name,
        "count": len(labels),
        "accuracy": correct / len(labels),
        "loss": loss,
        "class_accuracy": {
            label: float(right[labels == c].mean()) if (labels == c).any() else None
            for c, label in enumerate(classes)
        },
        "confusion": confusion.reshape(len(classes), -1).tolist(),
    }
    if processes.is_first:
        write_whole(Path(folder) / f"evaluation_{name}.json", json.dumps(result, indent=1) + "\n")
    return result


if __name__ == "__main__":
    sys.exit(main())
