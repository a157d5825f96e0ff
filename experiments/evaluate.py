"""Accuracy of a run, class by class."""

import json
import sys
from pathlib import Path

import numpy as np

from . import runs
from .cli import MISTAKES, add_backend, command, fail, parse, parser_for, use_threads
from .files import write_whole


@command
def main(argv=None):
    parser = parser_for("experiments.evaluate", __doc__)
    add_run(parser)
    options = parse(parser, argv)
    use_threads(options.backend)
    try:
        _, dataset, trainer = runs.load(options.folder, options.backend, options.checkpoint)
    except MISTAKES as error:
        fail(parser.prog, error)
    result = report(options.folder, dataset, trainer, options.split)
    print(f"loss {result['loss']:.4f} on {result['count']} images")
    for name, accuracy in result["class_accuracy"].items():
        print(f"  {name:<24} {'no images' if accuracy is None else f'{accuracy:.4f}'}")
    print(f"{options.split}_accuracy={result['accuracy']:.4f} run={options.folder}")
    return 0


def add_run(parser):
    """The options of every command that looks at a finished run."""
    parser.add_argument("folder", type=str, help="folder of a run, as printed by experiments.train")
    add_backend(parser)
    parser.add_argument(
        "--checkpoint",
        choices=("best", "last"),
        default="best",
        help="the epoch with the best validation accuracy, or the last one",
    )
    parser.add_argument(
        "--split", choices=("train", "val", "test"), default="test", help="the images to look at"
    )


def report(folder, dataset, trainer, split):
    """Evaluate a split and write evaluation_<split>.json; returns what it holds."""
    images, labels = getattr(dataset, split).images, getattr(dataset, split).labels
    predicted = trainer.predict(images).argmax(-1)
    right = predicted == labels
    result = {
        "split": split,
        "count": len(labels),
        "accuracy": float(right.mean()),
        "loss": trainer.evaluate(images, labels).loss,
        "class_accuracy": {
            name: float(right[labels == c].mean()) if (labels == c).any() else None
            for c, name in enumerate(dataset.classes)
        },
        "confusion": np.bincount(
            labels * len(dataset.classes) + predicted, minlength=len(dataset.classes) ** 2
        )
        .reshape(len(dataset.classes), -1)
        .tolist(),
    }
    write_whole(Path(folder) / f"evaluation_{split}.json", json.dumps(result, indent=1) + "\n")
    return result


if __name__ == "__main__":
    sys.exit(main())
