"""Accuracy of a run, class by class."""

import json
import sys
from pathlib import Path

import numpy as np

from .cli import command, open_run
from .files import write_whole


@command
def main(argv=None):
    options, _, dataset, trainer, _ = open_run("experiments.evaluate", __doc__, argv)
    result = report(options.folder, dataset, trainer, options.split)
    print(f"loss {result['loss']:.4f} on {result['count']} images")
    for name, accuracy in result["class_accuracy"].items():
        print(f"  {name:<24} {'no images' if accuracy is None else f'{accuracy:.4f}'}")
    print(f"{options.split}_accuracy={result['accuracy']:.4f} run={options.folder}")
    return 0


def report(folder, dataset, trainer, split):
    """Evaluate a split and write evaluation_<split>.json; returns what it holds."""
    images, labels = getattr(dataset, split).images, getattr(dataset, split).labels
    loss, correct, predicted = trainer.evaluate(images, labels)
    right = predicted == labels
    result = {
        "split": split,
        "count": len(labels),
        "accuracy": correct / len(labels),
        "loss": loss,
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
