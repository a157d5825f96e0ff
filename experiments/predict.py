"""Print class and probability of image files, from the network of a run; needs no training data."""

import sys

from .cli import MISTAKES, command, fail, loaded_run, parse, parser_of_a_run
from .inference import Classifier


@command
def main(argv=None):
    parser = parser_of_a_run("experiments.predict", __doc__)
    parser.add_argument(
        "images", type=str, nargs="+", help="image files, resized to the size the run was trained on"
    )
    options = parse(parser, argv)
    try:
        run, trainer = loaded_run(options)
        classifier = Classifier(trainer, run.data)
        probabilities = classifier.predict(classifier.read(options.images))
    except MISTAKES as error:
        fail(parser.prog, error)
    for path, row in zip(options.images, probabilities, strict=True):
        print(f"{path}\t{classifier.classes[row.argmax()]}\t{row.max():.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
