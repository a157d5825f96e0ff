"""Draw the pictures of a run into its folder; without its data, only those that need no images."""

import sys

from . import runs
from .cli import MISTAKES, add_split, command, fail, loaded_run, parse, parser_of_a_run
from .config import one_line


@command
def main(argv=None):
    parser = parser_of_a_run("experiments.visualize", __doc__)
    add_split(parser)
    options = parse(parser, argv)
    try:
        run, trainer = loaded_run(options)
        dataset = _dataset(run)
        drawn = draw(run, trainer, dataset, options.split)
    except MISTAKES as error:
        fail(parser.prog, error)
    for path in drawn:
        print(path)
    return 0


def _dataset(run):
    """Return the run's data; without it print what is not drawn and return None."""
    try:
        return runs.dataset_of(run)
    except MISTAKES as error:
        print(f"without confusion and attention: {one_line(error)}", file=sys.stderr)
        return None


def draw(run, trainer, dataset, split="test"):
    """Write the pictures into the run's folder and return their paths; dataset may be None."""
    from .pictures import save_pictures  # imported late: matplotlib takes a second

    options = run.config.visualization
    return save_pictures(
        run.folder / "pictures",
        trainer,
        dataset,
        runs.read_metrics(run),
        split=split,
        num_images=options.num_images,
        layer=options.layer,
    )


if __name__ == "__main__":
    sys.exit(main())
