"""Pictures of a run, written into its folder."""

import sys
from pathlib import Path

from . import runs
from .cli import MISTAKES, command, fail, parse, parser_for, use_threads
from .evaluate import add_run


@command
def main(argv=None):
    parser = parser_for("experiments.visualize", __doc__)
    add_run(parser)
    options = parse(parser, argv)
    use_threads(options.backend)
    try:
        metrics = runs.read_metrics(options.folder)
        config, dataset, trainer = runs.load(options.folder, options.backend, options.checkpoint)
    except MISTAKES as error:
        fail(parser.prog, error)
    for path in draw(options.folder, config, dataset, trainer, metrics, options.split):
        print(path)
    return 0


def draw(folder, config, dataset, trainer, metrics, split="test"):
    """Write the pictures into the run's folder; returns their paths."""
    from .pictures import save_pictures  # matplotlib takes a second to import; training need not wait

    options = config.visualization
    return save_pictures(
        Path(folder) / "pictures",
        trainer,
        dataset,
        metrics,
        split=split,
        num_images=options.num_images,
        layer=options.layer,
    )


if __name__ == "__main__":
    sys.exit(main())
