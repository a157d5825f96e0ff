"""Print class and probability of image files, from the network of a run; needs no training data."""

import sys

from .cli import MISTAKES, command, fail, loaded_run, parse, parser_of_a_run
from .inference import described, read


@command
def main(argv=None):
    parser = parser_of_a_run("experiments.predict", __doc__)
    parser.add_argument(
        "images", type=str, nargs="+", help="image files, resized to the size the run was trained on"
    )
    options = parse(parser, argv)
    try:
        run, trainer = loaded_run(options)
        model = described(trainer.model, run.data)
        data = run.config.data
        found = model.classify(read(options.images, model, data.crop_pct, data.interpolation))
    except MISTAKES as error:
        fail(parser.prog, error)
    for path, name, row in zip(options.images, *found, strict=True):
        print(f"{path}\t{name}\t{row.max():.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
