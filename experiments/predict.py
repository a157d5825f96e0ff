"""Print class and probability of image files, from the network of a run or an export."""

import sys

from .cli import MISTAKES, command, fail, loaded_run, parse, parser_of_a_run, use_threads
from .inference import described, is_exported, load_model, read


@command
def main(argv=None):
    parser = parser_of_a_run(
        "experiments.predict",
        __doc__,
        folder="folder of a run, or one that experiments.export wrote",
        otherwise="the one that trained the run, or numpy",
    )
    parser.add_argument(
        "images", type=str, nargs="+", help="image files, resized to the size the run was trained on"
    )
    options = parse(parser, argv)
    try:
        model = _model(options)
        found = model.classify(read(options.images, model))
    except MISTAKES as error:
        fail(parser.prog, error)
    for path, name, row in zip(options.images, *found, strict=True):
        print(f"{path}\t{name}\t{row.max():.4f}")
    return 0


def _model(options):
    """Return the model of the run or of the exported folder."""
    if is_exported(options.folder):
        use_threads(options.backend or "numpy")
        return load_model(options.folder, options.backend, options.checkpoint)
    run, trainer = loaded_run(options)
    return described(trainer.model, run)


if __name__ == "__main__":
    sys.exit(main())
