"""Evaluate a run: loss, accuracy, and accuracy per class."""

import json
import sys
from pathlib import Path

import numpy as np

from . import runs
from .cli import MISTAKES, add_split, command, fail, loaded_run, parse, parser_of_a_run
from .data import labelled_split
from .distributed import ALONE
from .distributed.evaluation import evaluated
from .files import write_whole

GIVEN = "given"  # the name of the split when the images come from --root


@command
def main(argv=None):
    parser = parser_of_a_run("experiments.evaluate", __doc__)
    add_split(parser)
    parser.add_argument(
        "--root",
        type=str | None,
        help="folder of other images with one subfolder per class, used instead of the run's own data",
    )
    options = parse(parser, argv)
    try:
        run, trainer = loaded_run(options)
        name = options.split if options.root is None else GIVEN
        split = _images(run, options)
    except MISTAKES as error:
        fail(parser.prog, error)
    result = report(run.folder, run.data.classes, split, trainer, name)
    print(f"loss {result['loss']:.4f} on {result['count']} images")
    for label, accuracy in result["class_accuracy"].items():
        print(f"  {label:<24} {'no images' if accuracy is None else f'{accuracy:.4f}'}")
    print(f"{name}_accuracy={result['accuracy']:.4f} run={options.folder}")
    return 0


def _images(run, options):
    """Return the split to evaluate: from the run's data, or from a folder with the same classes."""
    if options.root is not None:
        data = run.config.data
        look = {"crop_pct": data.crop_pct, "interpolation": data.interpolation}
        return labelled_split(options.root, run.data, data.workers, **look)
    try:
        return getattr(runs.dataset_of(run), options.split)
    except MISTAKES as error:
        raise ValueError(f"{error}; --root takes a folder of other images") from error


def report(folder, classes, split, trainer, name, processes=ALONE):
    """Evaluate a Split, write evaluation_<name>.json and return its content."""
    loss, correct, predicted = evaluated(trainer, split, processes)
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
