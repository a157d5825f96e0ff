"""Compare the schemes: train the same vision transformer with each of them, over several seeds.

A finished run is not repeated, so the same command continues where the last one stopped.
"""

import contextlib
import io
import math
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from threadpoolctl import threadpool_limits

from . import checkpoint, runs
from .build import build_trainer, load_dataset
from .cli import MISTAKES, add_backend, command, fail, parse, parser_for, use_threads
from .comparison import page, results
from .comparison.rows import ROWS, settings_of, written
from .config import Config, add_sections, config_first, to_config
from .data import Dataset
from .distributed.evaluation import evaluated
from .train import train

DEFAULT_TWIN = "torch"  # on one core it takes a third of the NumPy twin's time
CONFIG = Path(__file__).parents[1] / "configs" / "compare.yaml"
MOST_SEEDS = 1000
SET_BY_ROWS = tuple(f"--relative_position.{name}" for name in ("position", "bias_type", "rpb_kwargs"))


@dataclass(frozen=True)
class Common:
    """What all rows have in common; num_parameters: of the model without any position."""

    backend: str
    config: Config
    dataset: Dataset
    device: str
    grid: tuple[int, int]
    num_parameters: int


@command
def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    parser = parser_for("experiments.compare", __doc__)
    add_backend(parser, DEFAULT_TWIN)
    parser.add_argument("--seeds", type=str, default="3", help="how many, or a list: 0,1,2 or 4,")
    parser.add_argument("--schemes", type=str | None, help=f"comma-separated, some of: {','.join(ROWS)}")
    parser.add_argument(
        "--out", type=str | None, help="folder of the table and the picture; default runs/compare-<data>"
    )
    add_sections(parser)
    config = [] if _given(argv, ("--config",)) else ["--config", str(CONFIG)]
    options = parse(parser, config_first(config + argv))
    options.backend = options.backend or DEFAULT_TWIN
    try:
        use_threads(options.backend)
        folder, common, found, left = _set_up(options, argv)
    except MISTAKES as error:
        fail(parser.prog, error)
    try:
        # One thread: on a busy machine two threads wait for each other, and the times would vary.
        with threadpool_limits(1):
            _train_all(folder, common, found, left)
    except KeyboardInterrupt:
        print("\ninterrupted; the same command continues from here")
        return 130
    except FloatingPointError as error:
        print(f"training stopped: {error}", file=sys.stderr)
        return 1
    for path in page.write(folder, found):
        print(f"written {path}")
    return 0


def _set_up(options, argv):
    """Check everything and make the folder.

    Returns (folder, Common, results so far, [(row, seed)] still to train).
    """
    if given := _given(argv, (*SET_BY_ROWS, "--training.seed")):
        raise ValueError(f"{given[0]} differs from run to run here: choose with --schemes and --seeds")
    names, seeds = _names(options.schemes), _seeds(options.seeds)
    config = to_config(options)
    if config.model.name != "vit":
        raise ValueError(
            f"model.name is {config.model.name}, but here the schemes of a vit are compared"
        )
    folder = Path(options.out or f"runs/compare-{config.data.name}")
    common = _common(options.backend, config)
    rows = {name: written(row) for name, row in ROWS.items()}
    found = results.load(folder, _settings(common), rows)
    left = [(n, s) for s in seeds for n in names if not results.has(found, n, s)]
    for name in names:  # an option that does not fit a row is reported now, not after an hour
        build_trainer(common.backend, _config(common, name, seeds[0]), common.dataset.summary)
    folder.mkdir(parents=True, exist_ok=True)
    return folder, common, found, left


def _common(backend, config):
    dataset = load_dataset(config.data)
    bare = replace(config.relative_position, position="none", rpb_kwargs={})
    trainer = build_trainer(backend, replace(config, relative_position=bare), dataset.summary)
    grid = trainer.model.patch_embed.grid_size
    return Common(backend, config, dataset, trainer.device, grid, _count(trainer.model.parameters()))


def _settings(common):
    """Return all settings that the results depend on, apart from the row and the seed."""
    sections = asdict(common.config)
    sections["model"] = common.config.model.options()
    del sections["visualization"], sections["training"]["seed"]
    sections["relative_position"] = {"init_std": common.config.relative_position.init_std}
    sections["training"]["device"] = common.device
    return {
        "backend": common.backend,
        **results.on_record(sections),
        "images": common.dataset.summary.counts,
        "grid": list(common.grid),
    }


def _config(common, name, seed):
    settings = settings_of(ROWS[name], common.grid)
    config = common.config
    return replace(
        config,
        relative_position=replace(config.relative_position, **settings),
        training=replace(config.training, seed=seed),
    )


def _train_all(folder, common, found, left):
    print(f"{len(left)} runs to train, results in {folder}/{results.NAME}")
    started = time.perf_counter()
    for number, (name, seed) in enumerate(left, start=1):
        print(f"[{number}/{len(left)}] {name}, seed {seed}", flush=True)
        row, result = _train_one(common, name, seed)
        results.add(folder, found, name, row, seed, result)
        spent = time.perf_counter() - started
        print(
            f"    test_accuracy {result['test_accuracy']:.4f}  "
            f"{result['milliseconds_per_step']:.1f} ms per step  "
            f"{spent / number * (len(left) - number) / 60:.0f} min left",
            flush=True,
        )


def _train_one(common, name, seed):
    """Train one seed and return (description of the row, result of the seed).

    The epoch with the best validation accuracy is tested, as in experiments.train.
    """
    config, dataset = _config(common, name, seed), common.dataset
    trainer = build_trainer(common.backend, config, dataset.summary)
    seconds = _time_steps(trainer)
    with tempfile.TemporaryDirectory() as name_of_run:
        folder = Path(name_of_run)
        run = runs.create(folder, config, common.backend, trainer.device, dataset.summary)
        with contextlib.redirect_stdout(io.StringIO()):  # drop the line that each epoch prints
            train(run, dataset, trainer, dict(runs.FRESH))
        arrays, progress = checkpoint.load(folder / runs.BEST)
    trainer.load_state_dict(arrays, progress)
    best = evaluated(trainer, dataset.test)
    accuracy = best.correct / len(dataset.test.labels)
    result = {
        "test_accuracy": accuracy,
        "best_epoch": progress["epoch"],
        "milliseconds_per_step": results.typical(seconds),
    }
    return _describe(common, name, trainer), result


def _describe(common, name, trainer):
    """Return the part of a row's results that is the same for all seeds."""
    row, total = ROWS[name], _count(trainer.model.parameters())
    schemes = trainer.model.rel_pos_biases().values()
    return {
        "sees": row.sees,
        "what": row.what,
        "looks_at_query": any(scheme.looks_at_query for scheme in schemes),
        "settings": written(row),
        "parameters": total,
        "position_parameters": total - common.num_parameters,
        "table_parameters": _count(trainer.optimizer.groups[-1]["params"]),
    }


def _time_steps(trainer):
    """Make the trainer time its steps; return the list to which each step appends its seconds."""
    seconds, train_step = [], trainer.train_step

    def timed(images, labels):
        started = time.perf_counter()
        step = train_step(images, labels)
        seconds.append(time.perf_counter() - started)
        return step

    trainer.train_step = timed
    return seconds


def _names(text):
    names = list(ROWS) if text is None else text.split(",")
    if unknown := [name for name in names if name not in ROWS]:
        raise ValueError(f"--schemes has {', '.join(unknown)}, expected some of {','.join(ROWS)}")
    return list(dict.fromkeys(names))


def _seeds(text):
    """Parse --seeds: '3' -> [0, 1, 2], '3,' -> [3], '4,7' -> [4, 7]."""
    numbers = text.rstrip(",").split(",")
    if not all(number.isdecimal() and len(number) < 10 for number in numbers):
        raise ValueError(f"--seeds is {text!r}, expected how many, or which: 0,1,2")
    seeds = list(dict.fromkeys(map(int, numbers)))
    if "," in text:
        return seeds
    if not 0 < seeds[0] <= MOST_SEEDS:
        raise ValueError(
            f"--seeds is {text!r}, expected 1 to {MOST_SEEDS} seeds; the seed {text} alone is '{text},'"
        )
    return list(range(seeds[0]))


def _given(argv, names):
    return [option for option in argv if option.startswith(names)]


def _count(parameters):
    return sum(math.prod(p.shape) for p in parameters)


if __name__ == "__main__":
    sys.exit(main())
