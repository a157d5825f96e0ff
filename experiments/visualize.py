"""Pictures of a run, written into its folder."""

import sys
from pathlib import Path

from .cli import command, open_run


@command
def main(argv=None):
    options, config, dataset, trainer, metrics = open_run("experiments.visualize", __doc__, argv)
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
